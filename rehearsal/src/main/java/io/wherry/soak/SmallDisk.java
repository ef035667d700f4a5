package io.wherry.soak;

import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.Directories;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** A file system of limited size in memory; it can be filled without harm to the machine. */
final class SmallDisk {
    private static final byte[] BLOCK = new byte[1 << 20];

    private final Path filler;

    private SmallDisk(Path filler) {
        this.filler = filler;
    }

    /**
     * Mounts a file system on a directory, until the processes are closed.
     *
     * @return empty when mounting is not allowed: it needs root's rights, which a container may lack even as root
     */
    static Optional<SmallDisk> mount(ChildProcesses processes, Path directory, int mebibytes) throws IOException {
        Directories.create(directory);
        if (!run("mount", "-t", "tmpfs", "-o", "mode=755,size=" + mebibytes + "m", "tmpfs", directory.toString())) {
            return Optional.empty();
        }
        processes.beforeClose(() -> {
            if (!processes.kept()) {
                // Lazily: servers still use it.
                run("umount", "-l", directory.toString());
            }
        });
        return Optional.of(new SmallDisk(directory.resolve("filler")));
    }

    private static boolean run(String... command) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return process.waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Fills the remaining room. */
    void fill() {
        try (OutputStream out = Files.newOutputStream(filler)) {
            for (int size = BLOCK.length; size > 0; ) {
                try {
                    out.write(BLOCK, 0, size);
                } catch (IOException e) {
                    // The last bytes in smaller and smaller pieces.
                    size /= 16;
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("Cannot fill " + filler, e);
        }
    }

    /** Frees the room again. */
    void free() {
        try {
            Files.deleteIfExists(filler);
        } catch (IOException e) {
            throw new IllegalStateException("Cannot remove " + filler, e);
        }
    }
}
