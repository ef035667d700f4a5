package io.wherry.cli;

import io.wherry.embedded.Cache;
import io.wherry.embedded.DebianPackages;
import io.wherry.embedded.ServerException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The alert rules and the dashboard that the repository offers, and the program that checks the rules. */
final class Monitoring {
    static final Path RULES = Path.of("..", "ops", "prometheus", "rules.yml");
    static final Path RULES_TEST = RULES.resolveSibling("rules_test.yml");
    static final Path DASHBOARD = Path.of("..", "ops", "grafana", "wherry.json");

    private static final Pattern METRIC = Pattern.compile("\\b(?:wherry|jvm|process)_[a-z_]+");
    private static final Pattern UNNEEDED = Pattern.compile("(?!prom(etheus|tool)_).*");
    private static final String REMEDY =
            "Install the package prometheus, which has promtool: apt-get install prometheus";

    private Monitoring() {}

    /** The metrics that rules and dashboard name. */
    static Set<String> metrics() throws IOException {
        return new TreeSet<>(METRIC.matcher(Files.readString(RULES) + Files.readString(DASHBOARD))
                .results()
                .map(MatchResult::group)
                .collect(Collectors.toSet()));
    }

    /**
     * Prometheus' own checker: this machine's, otherwise one that is downloaded from Debian.
     *
     * @throws ServerException when there is none and it cannot be downloaded; the message names the remedy
     */
    static Path promtool() throws IOException {
        for (String directory : System.getenv("PATH").split(File.pathSeparator)) {
            Path found = Path.of(directory).resolve("promtool");
            if (Files.isExecutable(found)) {
                return found;
            }
        }
        if (!DebianPackages.available()) {
            throw new ServerException("promtool is missing. " + REMEDY);
        }
        String suite = DebianPackages.ownSuite();
        Path unpacked = Cache.standard()
                .entry(
                        "prometheus-" + suite,
                        partial -> DebianPackages.unpack(suite, "prometheus", UNNEEDED, partial, REMEDY));
        try (Stream<Path> files = Files.walk(unpacked)) {
            return files.filter(file -> file.endsWith("bin/promtool"))
                    .findFirst()
                    .orElseThrow(() -> new ServerException("No promtool in " + unpacked + ". " + REMEDY));
        }
    }
}
