package io.wherry.embedded;

import io.wherry.contract.config.CacheDirectory;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * Directories that are filled once and then only read, shared by all processes of this machine.
 *
 * <p>An entry appears complete or not at all: it is filled in another directory and then renamed.
 */
public final class Cache {
    /** A file lock belongs to the process, so threads of one process also need a monitor. */
    private static final ConcurrentMap<Path, Object> MONITORS = new ConcurrentHashMap<>();

    private final Path root;

    public Cache(Path root) {
        this.root = root.toAbsolutePath();
    }

    /** The cache at this machine's usual place, see {@link CacheDirectory#locate()}. */
    public static Cache standard() {
        return new Cache(CacheDirectory.locate());
    }

    /** Fills a new entry. */
    @FunctionalInterface
    public interface Filler {
        void fill(Path directory) throws IOException;
    }

    /**
     * The directory of the entry {@code name} (may hold slashes). {@code filler} fills it if it does not exist yet. Waits while
     * another thread or process fills it.
     *
     * @throws ServerException when the cache cannot be written; exceptions of the filler are passed on
     */
    public Path entry(String name, Filler filler) {
        Path entry = root.resolve(name);
        if (Files.isDirectory(entry)) {
            return entry;
        }
        synchronized (MONITORS.computeIfAbsent(entry, path -> new Object())) {
            try {
                Directories.create(root);
                Directories.create(entry.getParent());
                Path lockFile = entry.resolveSibling(entry.getFileName() + ".lock");
                try (FileChannel channel =
                                FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.lock()) {
                    if (lock.isValid() && !Files.isDirectory(entry)) {
                        fill(entry, filler);
                    }
                }
            } catch (IOException e) {
                throw new ServerException(
                        "Cannot fill the cache entry " + entry + ": " + e
                                + "\nName a writable directory in the environment variable WHERRY_CACHE.",
                        e);
            }
        }
        return entry;
    }

    private static void fill(Path entry, Filler filler) throws IOException {
        Path partial = entry.resolveSibling(entry.getFileName() + ".partial");
        // A leftover of a process that was killed here: this process holds the lock, so no process uses the entry.
        Directories.delete(partial);
        Directories.create(partial);
        try {
            filler.fill(partial);
            Files.move(partial, entry, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Directories.delete(partial);
        }
    }
}
