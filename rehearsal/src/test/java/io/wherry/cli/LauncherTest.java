package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher with a {@code java} that the test has written. */
@Tag("no-servers")
class LauncherTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    private Path home;

    @Test
    void aServiceThatEndedItselfBecauseItHungIsStartedAgain() throws Exception {
        Process launcher = launch("echo run >> runs; [ $(wc -l < runs) -lt 3 ] && exit 75; exit 4", "up");
        assertThat(launcher.waitFor()).isEqualTo(4);
        assertThat(Files.readAllLines(home.resolve("runs"))).hasSize(3);
    }

    @Test
    void aSignalReachesTheServiceAndEndsTheLauncherWithIt() throws Exception {
        Process launcher = launch("trap 'exit 75' TERM; echo run >> runs; while :; do sleep 0.1; done", "source");
        await().atMost(LIMIT).until(() -> Files.exists(home.resolve("runs")));
        launcher.destroy();
        assertThat(launcher.waitFor()).isEqualTo(75);
        assertThat(Files.readAllLines(home.resolve("runs"))).hasSize(1);
    }

    @Test
    void otherCommandsAreNotRunTwice() throws Exception {
        assertThat(launch("echo run >> runs; exit 75", "status").waitFor()).isEqualTo(75);
        assertThat(Files.readAllLines(home.resolve("runs"))).hasSize(1);
    }

    @Test
    void healthAsksAServiceForItsSignOfLifeWithoutAJvm() throws Exception {
        try (Answering service = new Answering()) {
            Process well = launch("echo run >> runs", "health", service.address());
            assertThat(well.waitFor()).isZero();
            assertThat(said()).isEqualTo(service.address() + ": ok\n");

            service.answer(503, "sink-applier: its thread has made no turn for 300 s\n");
            assertThat(launch("echo run >> runs", "health", service.address()).waitFor())
                    .isEqualTo(1);
            assertThat(said())
                    .isEqualTo(
                            "error: " + service.address() + ": sink-applier: its thread has made no turn for 300 s\n");

            service.stop();
            assertThat(launch("echo run >> runs", "health", service.address()).waitFor())
                    .isEqualTo(1);
            assertThat(said()).startsWith("error: " + service.address() + " does not answer /livez. Check that");
        }
        assertThat(home.resolve("runs")).doesNotExist();
    }

    private String said() throws IOException {
        return Files.readString(home.resolve("log"));
    }

    /** Answers {@code /livez} as told. */
    private static final class Answering implements AutoCloseable {
        private final HttpServer server =
                HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        private volatile int status = 200;
        private volatile String text = "ok\n";

        Answering() throws IOException {
            server.createContext("/livez", exchange -> {
                try (exchange) {
                    byte[] body = text.getBytes(StandardCharsets.UTF_8);
                    exchange.sendResponseHeaders(status, body.length);
                    exchange.getResponseBody().write(body);
                }
            });
            server.start();
        }

        void answer(int newStatus, String newText) {
            status = newStatus;
            text = newText;
        }

        String address() {
            return "127.0.0.1:" + server.getAddress().getPort();
        }

        void stop() {
            server.stop(0);
        }

        @Override
        public void close() {
            stop();
        }
    }

    private Process launch(String java, String... command) throws IOException {
        Path launcher =
                Files.copy(Path.of("..", "wherry"), home.resolve("wherry"), StandardCopyOption.REPLACE_EXISTING);
        Files.createDirectories(home.resolve("cli/target"));
        Files.createDirectories(home.resolve(".mvn"));
        Files.writeString(home.resolve("cli/target/cli-0.1.0-SNAPSHOT.jar"), "");
        Path stub = Files.createDirectories(home.resolve("bin")).resolve("java");
        Files.writeString(stub, "#!/bin/sh\ncd " + home + "\n" + java + "\n");
        assertThat(stub.toFile().setExecutable(true)).isTrue();
        List<String> all = new ArrayList<>(List.of("sh", launcher.toString()));
        all.addAll(List.of(command));
        ProcessBuilder builder = new ProcessBuilder(all);
        builder.environment().put("PATH", home.resolve("bin") + ":" + System.getenv("PATH"));
        return builder.redirectErrorStream(true)
                .redirectOutput(home.resolve("log").toFile())
                .start();
    }
}
