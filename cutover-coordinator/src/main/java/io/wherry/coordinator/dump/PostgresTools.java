package io.wherry.coordinator.dump;

import io.wherry.contract.config.CacheDirectory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * PostgreSQL's client programs of one version.
 *
 * @param directory holds {@code pg_dump}, {@code pg_restore} and {@code psql}
 * @param major their major version
 */
public record PostgresTools(Path directory, int major) {
    private static final List<String> PROGRAMS = List.of("pg_dump", "pg_restore", "psql");
    private static final Pattern VERSION = Pattern.compile("\\(PostgreSQL\\) (\\d+)");

    /**
     * Client programs of this machine that can read a server of that version: those of the same version, otherwise the newest,
     * because {@code pg_dump} refuses a server newer than itself. The pg_dump of the server's version handles the details of that
     * version best.
     *
     * <p>If {@code WHERRY_PG_BIN} is set, searches only the directory that it names; otherwise Wherry's cache, {@code
     * /usr/lib/postgresql} and the {@code PATH}.
     *
     * @throws PostgresToolsException when there are no such programs, or all are older
     */
    public static PostgresTools locate(int minimumMajor) {
        return best(candidates(System.getenv(), CacheDirectory.locate()), minimumMajor);
    }

    static PostgresTools best(List<Path> directories, int minimumMajor) {
        List<PostgresTools> found = directories.stream()
                .flatMap(directory -> in(directory).stream())
                .toList();
        return found.stream()
                .filter(tools -> tools.major >= minimumMajor)
                .max(Comparator.comparing((PostgresTools tools) -> tools.major == minimumMajor)
                        .thenComparingInt(PostgresTools::major))
                .orElseThrow(
                        () -> new PostgresToolsException(
                                "pg_dump, pg_restore and psql of PostgreSQL " + minimumMajor
                                        + " or newer are needed; "
                                        + (found.isEmpty() ? "found none in " + directories : "found only " + found)
                                        + ". Install the package postgresql-client-" + minimumMajor
                                        + ", or name the directory that holds them in the environment variable WHERRY_PG_BIN."));
    }

    static List<Path> candidates(Map<String, String> environment, Path cache) {
        String chosen = environment.getOrDefault("WHERRY_PG_BIN", "");
        if (!chosen.isBlank()) {
            return List.of(Path.of(chosen).toAbsolutePath());
        }
        List<Path> directories = new ArrayList<>(installations(cache, "postgresql-client-[0-9][0-9]"));
        directories.addAll(installations(Path.of("/usr/lib/postgresql"), "*"));
        Stream.of(environment.getOrDefault("PATH", "").split(":"))
                .filter(part -> !part.isBlank())
                .map(Path::of)
                .forEach(directories::add);
        return directories;
    }

    private static List<Path> installations(Path parent, String pattern) {
        List<Path> directories = new ArrayList<>();
        if (Files.isDirectory(parent)) {
            try (DirectoryStream<Path> installations = Files.newDirectoryStream(parent, pattern)) {
                installations.forEach(installation -> directories.add(installation.resolve("bin")));
            } catch (IOException e) {
                throw new PostgresToolsException("Cannot list " + parent + ": " + e.getMessage());
            }
        }
        return directories;
    }

    private static Optional<PostgresTools> in(Path directory) {
        if (!PROGRAMS.stream().allMatch(program -> Files.isExecutable(directory.resolve(program)))) {
            return Optional.empty();
        }
        try {
            Process process = new ProcessBuilder(directory.resolve("pg_dump").toString(), "--version")
                    .redirectErrorStream(true)
                    .start();
            String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            Matcher version = VERSION.matcher(answer);
            // Debian's wrapper in /usr/bin returns an error if no client is installed.
            return version.find()
                    ? Optional.of(new PostgresTools(directory, Integer.parseInt(version.group(1))))
                    : Optional.empty();
        } catch (IOException e) {
            throw new PostgresToolsException("Cannot run " + directory.resolve("pg_dump") + ": " + e.getMessage());
        }
    }

    public Path pgDump() {
        return directory.resolve("pg_dump");
    }

    public Path pgRestore() {
        return directory.resolve("pg_restore");
    }

    public Path psql() {
        return directory.resolve("psql");
    }

    @Override
    public String toString() {
        return major + " in " + directory;
    }
}
