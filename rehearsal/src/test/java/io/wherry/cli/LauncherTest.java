package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

    private Process launch(String java, String command) throws IOException {
        Path launcher = Files.copy(Path.of("..", "wherry"), home.resolve("wherry"));
        Files.createDirectories(home.resolve("cli/target"));
        Files.createDirectories(home.resolve(".mvn"));
        Files.createFile(home.resolve("cli/target/cli-0.1.0-SNAPSHOT.jar"));
        Path stub = Files.createDirectory(home.resolve("bin")).resolve("java");
        Files.writeString(stub, "#!/bin/sh\ncd " + home + "\n" + java + "\n");
        assertThat(stub.toFile().setExecutable(true)).isTrue();
        ProcessBuilder builder = new ProcessBuilder(List.of("sh", launcher.toString(), command));
        builder.environment().put("PATH", home.resolve("bin") + ":" + System.getenv("PATH"));
        return builder.redirectErrorStream(true)
                .redirectOutput(home.resolve("log").toFile())
                .start();
    }
}
