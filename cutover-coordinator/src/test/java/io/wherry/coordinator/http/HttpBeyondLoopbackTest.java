package io.wherry.coordinator.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.traffic.TrafficSwitch;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What clients on other machines may read, under which host names, and what the traffic command finds in its environment. */
final class HttpBeyondLoopbackTest {
    private static final String TOKEN = "a long random text";
    private static final String LOGIN = "Authorization: Bearer " + TOKEN + "\r\n";

    @TempDir
    private Path state;

    @Test
    void beyondLoopbackAPageReadsThroughAnyNameThatResolvesToUs() throws Exception {
        try (HttpApi api = started("names: [wherry.example]")) {
            for (String ours : new String[] {"wherry.example:80", "WHERRY.example", "10.1.2.3:8080", "[fe80::1]:1"}) {
                assertThat(ask(api, "GET /livez", ours, "")).as(ours).startsWith("HTTP/1.1 200 ");
            }
            for (String foreign :
                    new String[] {"evil.example", "wherry.example.evil.example", "10.1.2.3.evil.example"}) {
                assertThat(ask(api, "GET /api/status", foreign, LOGIN))
                        .as(foreign)
                        .startsWith("HTTP/1.1 421 ")
                        .contains("http.names");
            }
        }
    }

    @Test
    void readingNeedsNoTokenThoughItIsConfigured() throws Exception {
        try (HttpApi api = started("reading: token")) {
            for (String path : new String[] {"/api/status", "/api/lag", "/api/tables", "/metrics", "/readyz?verbose"}) {
                assertThat(ask(api, "GET " + path, "127.0.0.1", "")).as(path).startsWith("HTTP/1.1 401 ");
                assertThat(ask(api, "GET " + path, "127.0.0.1", LOGIN)).as(path).startsWith("HTTP/1.1 200 ");
            }
            assertThat(ask(api, "GET /livez", "127.0.0.1", "")).startsWith("HTTP/1.1 200 ");
            assertThat(ask(api, "GET /readyz", "127.0.0.1", "")).startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void onlyAClientWithTheTokenReadsPasswordsAndValuesOfRows() throws Exception {
        try (HttpApi api = started("reading: free")) {
            String path = "/password='hidden'";
            assertThat(ask(api, "GET " + path, "127.0.0.1", "")).contains("***").doesNotContain("hidden");
            assertThat(ask(api, "GET " + path + "?showValues=true", "127.0.0.1", ""))
                    .startsWith("HTTP/1.1 401 ")
                    .doesNotContain("hidden");
            assertThat(ask(api, "GET " + path + "?showValues=true", "127.0.0.1", LOGIN))
                    .contains("hidden");
        }
    }

    @Test
    void theSwitchCommandInheritsTheServicesSecrets() throws Exception {
        String ours = System.getenv().keySet().stream()
                .filter(name -> name.matches("[A-Z_]+")
                        && !name.matches("PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|LANG|LC_.*|SHLVL|_"))
                .findAny()
                .orElseThrow();
        assertThat(switchEnvironment("")).contains("WHERRY_NAME=shop", "PATH=").doesNotContain(ours + "=");
        assertThat(switchEnvironment(", environment: [" + ours + "]")).contains(ours + "=" + System.getenv(ours));
    }

    private String switchEnvironment(String more) throws InterruptedException, IOException {
        Path told = state.resolve("environment");
        Migration migration =
                parse("cutover: {switch: {kind: command, command: [sh, -c, 'env > " + told + "']" + more + "}}");
        TrafficSwitch.of(Flow.first(migration)).move("0/1");
        return java.nio.file.Files.readString(told);
    }

    private static Migration parse(String more) {
        return MigrationFile.parse(
                "{name: shop, source: {url: 'jdbc:postgresql://h/s', user: u}, target: {url: 'jdbc:postgresql://h/t', user: u}, "
                        + more + "}",
                Map.of());
    }

    private HttpApi started(String more) {
        Migration migration = parse("http: {listen: '0.0.0.0:0', token: '" + TOKEN + "', " + more + "}");
        HttpApi api = new HttpApi(migration, state, new CutoverCoordinator(Flow.first(migration), state));
        api.start();
        return api;
    }

    private static String ask(HttpApi api, String request, String host, String headers) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", api.port())) {
            socket.getOutputStream()
                    .write((request + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "Connection: close\r\n\r\n")
                            .getBytes(StandardCharsets.ISO_8859_1));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
