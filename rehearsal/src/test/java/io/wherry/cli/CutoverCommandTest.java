package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code wherry cutover} asks of the coordinator. */
@Tag("no-servers")
class CutoverCommandTest {
    private static final byte[] REFUSED =
            "{\"outcome\":\"REFUSED\",\"reason\":\"too long\",\"plan\":[\"a step\"]}".getBytes(StandardCharsets.UTF_8);

    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final StringWriter said = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void onlyWhatIsNamedIsForcedAndOnlyWhatIsKnownCanBeNamed() throws Exception {
        HttpServer coordinator = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        coordinator.createContext("/api/cutover", exchange -> {
            asked.add(exchange.getRequestURI().getQuery());
            exchange.sendResponseHeaders(200, REFUSED.length);
            exchange.getResponseBody().write(REFUSED);
            exchange.close();
        });
        coordinator.start();
        try {
            Path file = Files.writeString(
                    directory.resolve("m.yaml"),
                    "{name: shop, source: {url: 'jdbc:postgresql://127.0.0.1:1/s', user: u, password: p},"
                            + " target: {url: 'jdbc:postgresql://127.0.0.1:1/t', user: u, password: p},"
                            + " http: {token: 'a-token-that-is-long-enough', listen: '127.0.0.1:"
                            + coordinator.getAddress().getPort() + "'}}");
            assertThat(run("cutover", "-f", file.toString(), "--dry-run")).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(run("cutover", "-f", file.toString(), "--yes", "--force", "verify"))
                    .isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(said.toString()).contains("a step", "refused, nothing was done: too long");
            assertThat(run("cutover", "-f", file.toString(), "--yes", "--force", "fence"))
                    .isEqualTo(ExitCode.CONFIGURATION);
            assertThat(run("cutover", "-f", file.toString(), "--yes", "--force"))
                    .isEqualTo(ExitCode.CONFIGURATION);
            assertThat(asked).containsExactly("dryRun=true", "dryRun=false&force=verify");
        } finally {
            coordinator.stop(0);
        }
    }

    private int run(String... arguments) {
        return Wherry.commandLine()
                .setOut(new PrintWriter(said, true))
                .setErr(new PrintWriter(said, true))
                .execute(arguments);
    }
}
