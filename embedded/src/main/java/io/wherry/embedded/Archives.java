package io.wherry.embedded;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;

/** Unpacks archives with the system's tar. */
final class Archives {
    private Archives() {}

    /**
     * Unpacks an uncompressed tar stream into {@code directory}; the files belong to the user who runs Wherry.
     *
     * <p>Without a Java library: such a library would have to share commons-io with the registry client's jar, which contains an
     * old, unshaded commons-io.
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
