package io.wherry.rehearsal;

import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.dump.PostgresToolsException;
import io.wherry.embedded.Cache;
import io.wherry.embedded.Command;
import io.wherry.embedded.DebianPackages;
import io.wherry.embedded.Directories;
import io.wherry.embedded.ServerException;
import io.wherry.embedded.Unprivileged;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes {@code pg_dump}, {@code pg_restore} and {@code psql} available where they are missing or too old.
 *
 * <p>Unpacks the client of a newer Debian release, with all the libraries it needs, libc included, into the cache.
 */
public final class PostgresClientInstaller {
    private static final Logger LOGGER = LoggerFactory.getLogger(PostgresClientInstaller.class);
    private static final Duration LIMIT = Duration.ofMinutes(10);
    /** Needed only by Debian's wrapper scripts, which Wherry does not use, and 70 MB. */
    private static final Pattern UNNEEDED = Pattern.compile("(perl|libperl|postgresql-client-common|netbase).*");

    private final Cache cache;

    public PostgresClientInstaller(Cache cache) {
        this.cache = cache;
    }

    /** A Debian release and the version of its client. */
    private record Release(String suite, int major) {
        static final List<Release> OLDEST_FIRST = List.of(new Release("trixie", 17), new Release("forky", 18));
    }

    /**
     * Client programs of {@code minimumMajor} or newer: those of this machine, otherwise downloaded ones.
     *
     * @throws PostgresToolsException when none exist and they cannot be downloaded here; the message names the remedy
     * @throws ServerException when the download fails
     */
    public PostgresTools ensure(int minimumMajor) {
        PostgresToolsException missing;
        try {
            return PostgresTools.locate(minimumMajor);
        } catch (PostgresToolsException e) {
            missing = e;
        }
        Release release = Release.OLDEST_FIRST.stream()
                .filter(candidate -> candidate.major() >= minimumMajor)
                .findFirst()
                .orElseThrow(() -> missing);
        if (DebianPackages.available()) {
            LOGGER.info(
                    "Downloading the client programs of PostgreSQL {} from Debian {}",
                    release.major(),
                    release.suite());
            Path client = cache.entry("postgresql-client-" + release.major(), partial -> fetch(release, partial));
            return new PostgresTools(client.resolve("bin"), release.major());
        }
        if (Unprivileged.isRoot() && Files.isExecutable(Path.of("/usr/bin/apt-get"))) {
            installSystemPackage(missing.getMessage());
            return PostgresTools.locate(minimumMajor);
        }
        throw missing;
    }

    private static void installSystemPackage(String remedy) {
        LOGGER.info("Installing the package postgresql-client");
        try {
            Path log = Files.createTempFile(Path.of(System.getProperty("java.io.tmpdir")), "wherry-apt-", ".log");
            Path directory = Path.of("/");
            Command.run(List.of("apt-get", "update"), directory, log, LIMIT, remedy);
            Command.run(
                    List.of("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "postgresql-client"),
                    directory,
                    log,
                    LIMIT,
                    remedy);
            Files.delete(log);
        } catch (IOException e) {
            throw new ServerException("Cannot write apt's log: " + e.getMessage() + "\n" + remedy, e);
        }
    }

    private static void fetch(Release release, Path directory) throws IOException {
        String remedy = "Install the package postgresql-client-" + release.major()
                + ", or name the directory that holds pg_dump, pg_restore and psql in WHERRY_PG_BIN.";
        Path root = DebianPackages.unpack(
                release.suite(), "postgresql-client-" + release.major(), UNNEEDED, directory, remedy);
        writeWrappers(directory, root, release.major());
    }

    // With the package's own loader and libraries: this system's libc may be older than the programs need.
    private static void writeWrappers(Path directory, Path root, int major) throws IOException {
        Path loader = onlyMatch(root.resolve("usr/lib"), "*-linux-gnu", "ld-linux*.so.*");
        String libraries = root.relativize(loader.getParent()).toString();
        Path bin = Directories.create(directory.resolve("bin"));
        for (String program : List.of("pg_dump", "pg_restore", "psql")) {
            Path wrapper = Files.writeString(
                    bin.resolve(program), """
                    #!/bin/sh
                    root=$(cd "$(dirname "$0")/../root" && pwd)
                    exec "$root/%1$s/%2$s" --library-path "$root/%1$s" "$root/usr/lib/postgresql/%3$d/bin/%4$s" "$@"
                    """.formatted(libraries, loader.getFileName(), major, program));
            Files.setPosixFilePermissions(wrapper, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    private static Path onlyMatch(Path parent, String directoryPattern, String filePattern) throws IOException {
        try (DirectoryStream<Path> directories = Files.newDirectoryStream(parent, directoryPattern)) {
            for (Path directory : directories) {
                try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, filePattern)) {
                    for (Path file : files) {
                        return file;
                    }
                }
            }
        }
        throw new IOException("nothing like " + directoryPattern + "/" + filePattern + " in " + parent);
    }
}
