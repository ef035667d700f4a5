package io.wherry.cli;

import io.wherry.embedded.Directories;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;

/**
 * A temporary directory for this process alone, within one for the user who runs Wherry. Libraries unpack native code into the
 * temporary directory. They remove it when the process ends, but not when the process is killed. So each start removes what
 * killed processes have left.
 */
final class OwnDirectory {
    private OwnDirectory() {}

    /** Makes {@code java.io.tmpdir} name the directory, until this process ends. */
    static void begin() {
        try {
            Path own = begin(Path.of(System.getProperty("java.io.tmpdir")), System.getProperty("user.name"));
            System.setProperty("java.io.tmpdir", own.toString());
            Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(own), "remove-temporary-files"));
        } catch (IOException e) {
            throw new UncheckedIOException("make a directory in " + System.getProperty("java.io.tmpdir"), e);
        }
    }

    static Path begin(Path system, String user) throws IOException {
        Path ofUser = system.resolve("wherry-" + user.replaceAll("[^A-Za-z0-9_.-]", "_"));
        try {
            Files.createDirectory(
                    ofUser, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (FileAlreadyExistsException e) {
            // Any user who may write to the system's directory could have created it, or a link, to read or replace
            // Wherry's files.
            boolean ours = Files.isDirectory(ofUser, LinkOption.NOFOLLOW_LINKS)
                    && Files.getOwner(ofUser, LinkOption.NOFOLLOW_LINKS)
                            .getName()
                            .equals(user);
            if (!ours) {
                return Files.createTempDirectory(system, "wherry-");
            }
        }
        removeLeftovers(ofUser);
        return Directories.createPrivate(ofUser.resolve(name(ProcessHandle.current())));
    }

    private static void removeLeftovers(Path ofUser) throws IOException {
        List<Path> all;
        try (Stream<Path> entries = Files.list(ofUser)) {
            all = entries.toList();
        }
        for (Path entry : all) {
            String name = entry.getFileName().toString();
            if (name.matches("[0-9]{1,18}-[0-9]+") && !runs(name)) {
                remove(entry);
            }
        }
    }

    // The process number alone may belong to another process by now.
    private static boolean runs(String name) {
        return ProcessHandle.of(Long.parseLong(name.substring(0, name.indexOf('-'))))
                .map(OwnDirectory::name)
                .filter(name::equals)
                .isPresent();
    }

    private static String name(ProcessHandle process) {
        return process.pid() + "-"
                + process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
    }

    private static void remove(Path directory) {
        try {
            Directories.delete(directory);
        } catch (IOException e) {
            // Another start removes it at the same time; if not, the next start does.
            assert !directory.toString().isEmpty();
        }
    }
}
