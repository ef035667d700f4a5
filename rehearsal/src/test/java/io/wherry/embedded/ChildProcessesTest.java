package io.wherry.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("embedded-only")
final class ChildProcessesTest {
    /** The parent that gets killed: starts a server, prints its address, and waits. */
    static final class Parent {
        private Parent() {}

        public static void main(String[] arguments) throws IOException {
            ChildProcesses children = new ChildProcesses();
            Path directory = children.temporaryDirectory("wherry-test-");
            EmbeddedPostgres.start(children, 17, directory, Map.of());
            System.out.println(directory);
            assertThat(System.in.read()).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"KILL", "INT"})
    void aKilledParentLeavesNoServerAndNoDirectory(String signal) throws Exception {
        // A shell that runs the tests in the background ignores SIGINT, and a JVM inherits that.
        List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
        command.addAll(JavaCommand.of("-cp", System.getProperty("java.class.path"), Parent.class.getName()));
        Process parent = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = parent.inputReader()) {
            Path directory = Path.of(lastLine(output));
            long postmaster = Long.parseLong(
                    Files.readAllLines(directory.resolve("data/postmaster.pid")).get(0));
            assertThat(ProcessHandle.of(postmaster)).isPresent();

            assertThat(new ProcessBuilder("kill", "-s", signal, Long.toString(parent.pid()))
                            .start()
                            .waitFor())
                    .isZero();

            await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
                assertThat(ProcessHandle.of(postmaster)).isEmpty();
                assertThat(directory).doesNotExist();
            });
        } finally {
            parent.destroyForcibly();
        }
    }

    private static String lastLine(BufferedReader output) throws IOException {
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            if (line.startsWith("/")) {
                return line;
            }
        }
        throw new AssertionError("the parent ended without saying where its server is");
    }

    @Test
    void actionsRunBeforeTheServersStopTheLastOneFirst() {
        StringBuilder order = new StringBuilder();
        try (ChildProcesses children = new ChildProcesses()) {
            Path directory = children.temporaryDirectory("wherry-test-");
            Child child = children.start(
                    "sleeper", List.of("sleep", "600"), directory, directory.resolve("log"), "TERM", "KILL");
            children.beforeClose(() -> order.append(child.isAlive() ? "first while alive" : "too late"));
            children.beforeClose(() -> order.append("second, "));
        }
        assertThat(order).hasToString("second, first while alive");
    }
}
