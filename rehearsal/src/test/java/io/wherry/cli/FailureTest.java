package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import io.wherry.cli.log.LogText;
import io.wherry.contract.error.Finding;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The messages that users read when a command fails, or in a service's log. */
@Tag("no-servers")
class FailureTest {
    @TempDir
    private Path directory;

    @Test
    void aFailureIsLinesWithoutStackTraceAndWithoutTwoFullStops() throws Exception {
        Path file = Files.writeString(
                directory.resolve("m.yaml"),
                "{name: shop, source: {url: 'jdbc:postgresql://127.0.0.1:1/s', user: u, password: p},"
                        + " target: {url: 'jdbc:postgresql://127.0.0.1:1/t', user: u, password: p}}");
        for (String command : List.of("verify", "check", "up", "status")) {
            StringWriter said = new StringWriter();
            int code = Wherry.commandLine()
                    .setErr(new PrintWriter(said))
                    .setOut(new PrintWriter(said))
                    .execute(command, "-f", file.toString(), "--data", directory.toString());
            assertThat(code).as(command).isNotZero();
            assertThat(said.toString().strip().lines())
                    .as(command)
                    .isNotEmpty()
                    .doesNotHaveDuplicates()
                    .allMatch(line -> line.startsWith("error: ") || line.startsWith("warning: "))
                    .noneMatch(line -> line.contains("..") && !line.contains("…"))
                    .noneMatch(line -> line.contains("null"));
        }
    }

    @Test
    void anAnswerThatDoesNotComeHasAReason() throws Exception {
        for (String[] one : new String[][] {
            {"127.0.0.1:1", "no answer: the connection was refused. Check that the coordinator is reachable"},
            {"no.such.host.invalid:80", "no answer: the host name is not known. Check that the coordinator is reachable"
            }
        }) {
            Path file = Files.writeString(
                    directory.resolve("m.yaml"),
                    "{name: shop, source: {url: 'jdbc:postgresql://127.0.0.1:1/s', user: u, password: p},"
                            + " target: {url: 'jdbc:postgresql://127.0.0.1:1/t', user: u, password: p}, http: {token: 'a-token-that-is-long-enough', listen: '"
                            + one[0] + "'}}");
            StringWriter said = new StringWriter();
            Wherry.commandLine().setErr(new PrintWriter(said)).execute("status", "-f", file.toString());
            assertThat(said.toString()).contains(one[1]);
        }
    }

    @Test
    void debugShowsStackTraces() throws Exception {
        try {
            StringWriter said = new StringWriter();
            Wherry.commandLine()
                    .setErr(new PrintWriter(said))
                    .execute("verify", "-f", directory.resolve("none.yaml").toString(), "--debug");
            assertThat(said.toString()).contains("\tat ").contains("error: ");
        } finally {
            System.clearProperty(LogText.STACK_TRACES);
        }
    }

    @Test
    void aLineOfTwoChecksIsShownOnce() {
        Finding warning = Finding.warning("public.t", "is odd", "Change it");
        Finding error = Finding.error("public.t", "is odd", "Change it");
        assertThat(Preflight.once(List.of(warning, error, warning))).containsExactly(error);
    }

    @Test
    void theLogShowsNoStackTracesPasswordsOrRows() {
        assertThat(logged(
                        "stopped: Key (a)=(hidden) already exists.",
                        new IllegalStateException("Key (a)=(hidden) already exists.")))
                .isEqualTo("stopped: Key (a)=(***) already exists.");
        assertThat(logged("Comparing the schemas", new IllegalStateException("because\n  of this")))
                .isEqualTo("Comparing the schemas: because of this");
    }

    private static String logged(String message, Throwable failure) {
        LoggerContext context = new LoggerContext();
        return new LogText()
                .convert(new LoggingEvent(
                        "", context.getLogger("io.wherry"), Level.ERROR, message, failure, new Object[0]));
    }
}
