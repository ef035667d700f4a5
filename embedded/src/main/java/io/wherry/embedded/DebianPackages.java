package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Unpacks Debian packages into a directory, without root's rights and without changes to the system. apt works on a private state
 * in which no package is installed, downloads from the machine's own mirror, and verifies the packages with Debian's keyring as
 * usual.
 */
public final class DebianPackages {
    private static final Path KEYRING = Path.of("/usr/share/keyrings/debian-archive-keyring.gpg");
    private static final Path RELEASE = Path.of("/etc/os-release");
    private static final String CODENAME = "VERSION_CODENAME=";
    private static final Duration LIMIT = Duration.ofMinutes(10);

    private DebianPackages() {}

    /** Whether this machine can verify Debian packages. */
    public static boolean available() {
        return Files.isReadable(KEYRING);
    }

    /** This machine's own release, whose programs and libraries run with this machine's libc. */
    public static String ownSuite() throws IOException {
        return Files.readAllLines(RELEASE).stream()
                .filter(line -> line.startsWith(CODENAME))
                .map(line -> line.substring(CODENAME.length()).replace("\"", ""))
                .findFirst()
                .orElse("stable");
    }

    /**
     * Unpacks a package and all packages it depends on.
     *
     * @param suite the release, such as {@code trixie}
     * @param unneeded names of package files that are left out
     * @param directory gets the subdirectory {@code root}, and apt's state for a while
     * @param remedy end of the message of an exception
     * @return the subdirectory
     * @throws ServerException when the packages cannot be downloaded
     */
    public static Path unpack(String suite, String name, Pattern unneeded, Path directory, String remedy)
            throws IOException {
        Path apt = Directories.create(directory.resolve("apt"));
        Path log = apt.resolve("apt.log");
        Path configuration = configure(apt, suite);
        for (List<String> arguments : List.of(List.of("update"), List.of("install", "-y", "--download-only", name))) {
            List<String> command = new ArrayList<>(List.of("apt-get", "-c", configuration.toString()));
            command.addAll(arguments);
            Command.run(command, apt, log, LIMIT, remedy);
        }
        Path root = Directories.create(directory.resolve("root"));
        try (DirectoryStream<Path> packages = Files.newDirectoryStream(apt.resolve("cache/archives"), "*.deb")) {
            for (Path file : packages) {
                if (!unneeded.matcher(file.getFileName().toString()).matches()) {
                    Command.run(List.of("dpkg", "-x", file.toString(), root.toString()), apt, log, LIMIT, remedy);
                }
            }
        }
        Directories.delete(apt);
        return root;
    }

    private static Path configure(Path apt, String suite) throws IOException {
        Directories.create(apt.resolve("state/lists/partial"));
        Directories.create(apt.resolve("cache/archives/partial"));
        Directories.create(apt.resolve("no-parts"));
        Files.writeString(apt.resolve("state/status"), "");
        Files.writeString(
                apt.resolve("sources.list"),
                "deb [signed-by=" + KEYRING + "] " + AptSources.debianMirror() + " " + suite + " main\n");
        // Hooks are cleared because those of the system may write to the system; -c is read after the system's
        // configuration.
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
}
