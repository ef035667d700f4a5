package io.wherry.embedded;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;

/** Unpacks archives by the system's tar. */
final class Archives {
    private Archives() {}

    /**
     * Unpacks an uncompressed tar stream into {@code directory}, owned by ourselves.
     *
     * <p>No Java library for it: it would have to share commons-io with the registry client's jar, which carries an old
     * one unshaded.
     */
    static void unpackTar(InputStream archive, Path directory) throws IOException {
        Process tar = new ProcessBuilder("tar", "-x", "-p", "--no-same-owner", "-C", directory.toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (OutputStream input = tar.getOutputStream()) {
            archive.transferTo(input);
        }
        int exitCode = tar.onExit().join().exitValue();
        if (exitCode != 0) {
            throw new IOException("tar ended with exit code " + exitCode);
        }
    }
}
