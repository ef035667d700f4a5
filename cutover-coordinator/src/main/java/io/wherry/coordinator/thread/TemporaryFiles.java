package io.wherry.coordinator.thread;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Temporary files of this process. */
public final class TemporaryFiles {
    private TemporaryFiles() {}

    /** A new file, readable by our own user only, where a later start removes it if this process is killed first. */
    public static Path create(String prefix, String suffix) throws IOException {
        // Said each time: the library remembers the directory from before the command line gave this process its own.
        return Files.createTempFile(Path.of(System.getProperty("java.io.tmpdir")), prefix, suffix);
    }
}
