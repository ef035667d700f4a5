package io.wherry.rehearsal;

import io.wherry.coordinator.PostgresTools;
import io.wherry.coordinator.PostgresToolsException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes {@code pg_dump}, {@code pg_restore} and {@code psql} available where they are missing or too old.
 *
 * <p>Unpacks a newer Debian release's client with all the libraries it needs, libc included, into the cache, without
 * root's rights and without touching the system: apt works on a private state in which no package is installed, from the
 * machine's own mirror, and verifies the packages by Debian's keyring as always.
 */
public final class PostgresClientInstaller {
    private static final Logger LOGGER = LoggerFactory.getLogger(PostgresClientInstaller.class);
    private static final Path KEYRING = Path.of("/usr/share/keyrings/debian-archive-keyring.gpg");
    private static final Duration LIMIT = Duration.ofMinutes(10);
    /** Needed only by Debian's wrapper scripts, which we do not use, and 70 MB. */
    private static final Pattern UNNEEDED = Pattern.compile("(perl|libperl|postgresql-client-common|netbase).*");

    private final Cache cache;

    public PostgresClientInstaller(Cache cache) {
        this.cache = cache;
    }

    /** A Debian release and the client it has. */
    private record Release(String suite, int major) {
        static final List<Release> OLDEST_FIRST = List.of(new Release("trixie", 17), new Release("forky", 18));
    }

    /**
     * Client programs of {@code minimumMajor} or newer: those of this machine, else newly fetched ones.
     *
     * @throws PostgresToolsException when there are none and they cannot be fetched here; says what to do
     * @throws ServerException when fetching them fails
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
        if (Files.isReadable(KEYRING)) {
            LOGGER.info(
                    "Fetching the client programs of PostgreSQL {} from Debian {}", release.major(), release.suite());
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
            Path log = Files.createTempFile("wherry-apt-", ".log");
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
        Path apt = Directories.create(directory.resolve("apt"));
        Path log = apt.resolve("apt.log");
        Path configuration = configureApt(apt, release);
        for (List<String> arguments : List.of(
                List.of("update"),
                List.of("install", "-y", "--download-only", "postgresql-client-" + release.major()))) {
            List<String> command = new ArrayList<>(List.of("apt-get", "-c", configuration.toString()));
            command.addAll(arguments);
            Command.run(command, apt, log, LIMIT, remedy);
        }
        Path root = Directories.create(directory.resolve("root"));
        try (DirectoryStream<Path> packages = Files.newDirectoryStream(apt.resolve("cache/archives"), "*.deb")) {
            for (Path file : packages) {
                if (!UNNEEDED.matcher(file.getFileName().toString()).matches()) {
                    Command.run(List.of("dpkg", "-x", file.toString(), root.toString()), apt, log, LIMIT, remedy);
                }
            }
        }
        writeWrappers(directory, root, release.major());
        Directories.delete(apt);
    }

    private static Path configureApt(Path apt, Release release) throws IOException {
        Directories.create(apt.resolve("state/lists/partial"));
        Directories.create(apt.resolve("cache/archives/partial"));
        Directories.create(apt.resolve("no-parts"));
        Files.writeString(apt.resolve("state/status"), "");
        Files.writeString(
                apt.resolve("sources.list"),
                "deb [signed-by=" + KEYRING + "] " + AptSources.debianMirror() + " " + release.suite() + " main\n");
        // Hooks are cleared because the system's may write to the system; -c is read after the system's configuration.
        return Files.writeString(apt.resolve("apt.conf"), """
                Dir::State "%1$s/state";
                Dir::State::status "%1$s/state/status";
                Dir::Cache "%1$s/cache";
                Dir::Log "%1$s";
                Dir::Etc::sourcelist "%1$s/sources.list";
                Dir::Etc::sourceparts "%1$s/no-parts";
                Dir::Etc::preferences "/dev/null";
                Dir::Etc::preferencesparts "%1$s/no-parts";
                APT::Install-Recommends "false";
                APT::Sandbox::User "";
                Acquire::Languages "none";
                #clear APT::Update::Pre-Invoke;
                #clear APT::Update::Post-Invoke;
                #clear APT::Update::Post-Invoke-Success;
                #clear DPkg::Pre-Invoke;
                #clear DPkg::Post-Invoke;
                #clear DPkg::Pre-Install-Pkgs;
                """.formatted(apt));
    }

    // By the package's own loader and libraries: this system's libc may be older than the programs need.
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
