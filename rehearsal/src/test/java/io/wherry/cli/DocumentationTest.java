package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.StateMachine;
import io.wherry.coordinator.StateMachine.Transition;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/**
 * What the docs say of commands and states is generated from the code. After a change run {@code mvn verify
 * -Dwherry.docs=write} and commit what it wrote.
 */
class DocumentationTest {
    private static final Path DOCS = Path.of("..", "docs");

    @Test
    void commandsAreDocumentedAsTheyAre() throws IOException {
        StringBuilder text = new StringBuilder();
        CommandLine wherry = Wherry.commandLine();
        wherry.getSubcommands().forEach((name, command) -> {
            if (!name.equals("help")) {
                text.append("## wherry ").append(name).append("\n\n```\n");
                text.append(command.getUsageMessage(Ansi.OFF).stripTrailing()).append("\n```\n\n");
            }
        });
        assertGenerated("commands.md", "commands", text.toString());
    }

    @Test
    void stateDiagramIsTheTable() throws IOException {
        StringBuilder text = new StringBuilder("```mermaid\nstateDiagram-v2\n");
        text.append("    [*] --> LOADING\n");
        for (Transition row : StateMachine.TRANSITIONS) {
            text.append("    ")
                    .append(row.from())
                    .append(" --> ")
                    .append(row.to())
                    .append(" : ")
                    .append(row.event())
                    .append('\n');
        }
        assertGenerated(
                "architecture.md",
                "states",
                text.append("    COMPLETED --> [*]\n```\n").toString());
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
