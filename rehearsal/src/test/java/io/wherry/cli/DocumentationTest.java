package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.record.Json;
import io.wherry.coordinator.cutover.Story;
import io.wherry.rehearsal.Rooms;
import io.wherry.rehearsal.cli.RehearsalCommandLine;
import io.wherry.rehearsal.fixture.StoryText;
import io.wherry.soak.SoakReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/**
 * The parts of the docs on commands and states are generated from the code. After a change, run {@code mvn verify
 * -Dwherry.docs=write} and commit the files that it has written.
 */
@Tag("no-servers")
class DocumentationTest {
    private static final Path DOCS = Path.of("..", "docs");

    @Test
    void commandsAreDocumentedAsTheyAre() throws IOException {
        StringBuilder text = new StringBuilder();
        CommandLine wherry = RehearsalCommandLine.commandLine();
        wherry.getSubcommands().forEach((name, command) -> {
            if (!name.equals("help")) {
                text.append("## wherry ").append(name).append("\n\n```\n");
                text.append(command.getUsageMessage(Ansi.OFF).stripTrailing()).append("\n```\n\n");
                command.getSubcommands().forEach((part, below) -> text.append("### wherry " + name + " " + part)
                        .append("\n\n```\n")
                        .append(below.getUsageMessage(Ansi.OFF).stripTrailing())
                        .append("\n```\n\n"));
            }
        });
        assertGenerated("commands.md", "commands", text.toString());
    }

    /** The smoke tests of the benches run the same commands with fewer rows. */
    @Test
    void benchesOfTheDocumentsAreAccepted() throws IOException {
        List<String> commands = Files.readAllLines(DOCS.resolve("performance.md")).stream()
                .filter(line -> line.startsWith("./wherry bench "))
                .toList();
        assertThat(commands).hasSizeGreaterThanOrEqualTo(5);
        for (String command : commands) {
            String[] arguments = command.replaceAll("#.*", "").strip().split(" ");
            CommandLine.ParseResult parsed =
                    RehearsalCommandLine.commandLine().parseArgs(Arrays.copyOfRange(arguments, 1, arguments.length));
            assertThat(parsed.subcommand().subcommand()).as(command).isNotNull();
        }
    }

    @Test
    void theStateDiagramAndTheRunbookAreTheListOfSteps() throws IOException {
        assertGenerated("architecture.md", "states", StoryText.diagram(Story.STEPS));
        assertGenerated("operations.md", "steps", StoryText.runbook(Story.STEPS));
    }

    @Test
    void theRoomsAreThoseThatTheArrowsHold() throws IOException {
        assertGenerated("architecture.md", "rooms", Rooms.table());
    }

    /** A reader who follows a pointer of the docs must not find a class that was renamed. */
    @Test
    void whereToLookNamesClassesThatExist() throws IOException {
        String document = Files.readString(DOCS.resolve("architecture.md"));
        String table = document.substring(document.indexOf("## Where to look"), document.indexOf("## Load"));
        Set<String> classes;
        try (Stream<Path> files = Files.walk(Path.of(".."))) {
            classes = files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".java"))
                    .map(name -> name.replace(".java", ""))
                    .collect(Collectors.toSet());
        }
        List<String> named = Pattern.compile("`([A-Z][a-z]\\w+)")
                .matcher(table)
                .results()
                .map(found -> found.group(1))
                .toList();
        assertThat(named).hasSizeGreaterThan(10);
        assertThat(classes).containsAll(named);
    }

    /** One report for each set of runs, named after its versions and its first seed. */
    @Test
    void soakRunsAreThoseOfTheReports() throws IOException {
        StringBuilder text =
                new StringBuilder("| versions | first seed | runs | failed | transactions | changes read back"
                        + " | rows compared | lost | doubled | different | out of order | longest recovery | minutes of runs |\n"
                        + "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
        SoakReport all = SoakReport.none();
        try (Stream<Path> files = Files.list(DOCS.resolve("soak"))) {
            for (Path file : files.sorted().toList()) {
                SoakReport report = Json.mapper().readValue(file.toFile(), SoakReport.class);
                String name = file.getFileName().toString().replace(".json", "");
                int seed = name.lastIndexOf('-');
                text.append(row(name.substring(0, seed).replace('-', ' '), name.substring(seed + 1), report));
                all = all.plus(report);
            }
        }
        text.append(row("**all**", "", all)).append("\n| fault | times |\n|---|---|\n");
        all.faults().forEach((kind, times) -> text.append("| `%s` | %d |\n".formatted(kind, times)));
        assertGenerated("reliability.md", "soak", text.toString());
    }

    private static String row(String versions, String seed, SoakReport report) {
        return "| %s | %s | %,d | %d | %,d | %,d | %,d | %d | %d | %d | %d | %d s | %,d |\n"
                .formatted(
                        versions,
                        seed,
                        report.runs(),
                        report.failures().size(),
                        report.transactions(),
                        report.changes(),
                        report.rowsCompared(),
                        report.rowsLost(),
                        report.rowsDoubled(),
                        report.rowsDifferent(),
                        report.outOfOrder(),
                        report.longestRecoveryMillis() / 1000,
                        report.millis() / 60_000);
    }

    private static void assertGenerated(String file, String block, String expected) throws IOException {
        Path path = DOCS.resolve(file);
        String document = Files.readString(path);
        String begin = "<!-- generated: " + block + " -->\n";
        String end = "<!-- end -->";
        Matcher matcher = Pattern.compile(Pattern.quote(begin) + "(.*?)" + end, Pattern.DOTALL)
                .matcher(document);
        assertThat(matcher.find()).as("block " + block + " in " + file).isTrue();
        if ("write".equals(System.getProperty("wherry.docs"))) {
            Files.writeString(path, matcher.replaceFirst(Matcher.quoteReplacement(begin + expected + end)));
        } else {
            assertThat(matcher.group(1))
                    .as("run mvn verify -Dwherry.docs=write")
                    .isEqualTo(expected);
        }
    }
}
