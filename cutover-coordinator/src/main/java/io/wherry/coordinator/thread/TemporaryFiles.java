package io.wherry.coordinator.thread;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Temporary files of this process. */
public final class TemporaryFiles {
    private TemporaryFiles() {}

    /** A new file that only the user of this process can read, in a directory that a later start cleans if this process is killed. */
    public static Path create(String prefix, String suffix) throws IOException {
        // Passed each time: the library keeps the directory from before the command line gave this process its own.
        return Files.createTempFile(Path.of(System.getProperty("java.io.tmpdir")), prefix, suffix);
    }
}
