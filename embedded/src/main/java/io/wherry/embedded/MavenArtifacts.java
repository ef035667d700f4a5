package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Downloads artifacts by running Maven in a child process, so that the user's mirrors, proxies and credentials apply.
 *
 * <p>Downloaded artifacts stay in the cache; Maven is needed for the first run only.
 */
public final class MavenArtifacts {
    private static final Duration LIMIT = Duration.ofMinutes(20);
    private static final String REMEDY =
            "Wherry downloads its embedded servers with Maven: `mvn` must be on the PATH and reach a Maven repository that"
                    + " holds this artifact (mirrors and proxies go to ~/.m2/settings.xml).";

    private static final String NO_DEPENDENCIES =
            "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";

    private final Cache cache;

    public MavenArtifacts(Cache cache) {
        this.cache = cache;
    }

    /** An artifact: {@code group:name:version}, optionally followed by {@code :type} and {@code :classifier}. */
    public record Coordinates(String group, String name, String version, String type, String classifier) {
        public static Coordinates parse(String text) {
            String[] parts = text.split(":", -1);
            if (parts.length < 3 || parts.length > 5) {
                throw new IllegalArgumentException("not group:name:version[:type[:classifier]]: " + text);
            }
            return new Coordinates(
                    parts[0],
                    parts[1],
                    parts[2],
                    parts.length > 3 ? parts[3] : "jar",
                    parts.length > 4 ? parts[4] : "");
        }

        private String toPom(boolean alone) {
            return """
                    <dependency>
                      <groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>
                      <type>%s</type>%s%s
                    </dependency>
                    """.formatted(
                            group,
                            name,
                            version,
                            type,
                            // An empty element would make the plugin silently leave the artifact out.
                            classifier.isEmpty() ? "" : "<classifier>" + classifier + "</classifier>",
                            alone ? NO_DEPENDENCIES : "");
        }
    }

    /**
     * The file of one artifact, without its dependencies.
     *
     * @throws ServerException when Maven cannot download it
     */
    public Path artifact(String coordinates) {
        Path directory = cache.entry(
                "artifacts/" + coordinates.replace(':', '_'),
                partial -> fetch(partial, List.of(Coordinates.parse(coordinates)), true));
        try (Stream<Path> files = Files.list(directory)) {
            return files.findFirst().orElseThrow();
        } catch (IOException e) {
            throw new ServerException("Cannot list " + directory + ": " + e.getMessage(), e);
        }
    }

    /**
     * A directory with the jars of {@code coordinates} and of everything they need at run time.
     *
     * @param name the cache entry; must change whenever the coordinates change
     * @throws ServerException when Maven cannot download them
     */
    public Path libraries(String name, List<String> coordinates) {
        return cache.entry(
                "libraries/" + name,
                partial -> fetch(
                        partial, coordinates.stream().map(Coordinates::parse).toList(), false));
    }

    private static void fetch(Path directory, List<Coordinates> artifacts, boolean alone) throws IOException {
        Path work = Files.createTempDirectory(Path.of(System.getProperty("java.io.tmpdir")), "wherry-maven-");
        try {
            Files.writeString(work.resolve("pom.xml"), pom(artifacts, alone));
            List<String> command = List.of(
                    "mvn",
                    "-q",
                    "-B",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    "-DoutputDirectory=" + directory);
            Command.run(command, work, work.resolve("maven.log"), LIMIT, REMEDY);
            try (Stream<Path> files = Files.list(directory)) {
                if (files.findFirst().isEmpty()) {
                    throw new ServerException("Maven downloaded nothing for " + artifacts + "\n" + REMEDY);
                }
            }
        } finally {
            Directories.delete(work);
        }
    }

    private static String pom(List<Coordinates> artifacts, boolean alone) {
        return """
                <project xmlns="http://maven.apache.org/POM/4.0.0">
                  <modelVersion>4.0.0</modelVersion>
                  <groupId>io.wherry.fetched</groupId><artifactId>fetched</artifactId><version>1</version>
                  <packaging>pom</packaging>
                  <dependencies>
                %s  </dependencies>
                  <build><plugins><plugin>
                    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
                    <version>3.9.0</version>
                  </plugin></plugins></build>
                </project>
                """.formatted(
                artifacts.stream().map(artifact -> artifact.toPom(alone)).collect(Collectors.joining()));
    }
}
