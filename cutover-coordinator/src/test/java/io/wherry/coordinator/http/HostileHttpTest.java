package io.wherry.coordinator.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.coordinator.CutoverCoordinator;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hostile clients, over bare sockets: no such client gets access, and none keeps other clients out. */
final class HostileHttpTest {
    private static final Migration MIGRATION = MigrationFile.parse(
            "{name: shop, source: {url: 'jdbc:postgresql://h/s', user: u}, target: {url: 'jdbc:postgresql://h/t', user: u},"
                    + " http: {listen: '127.0.0.1:0'}}",
            Map.of());
    private static final String HOST = "Host: 127.0.0.1\r\n";

    @TempDir
    private static Path state;

    private static HttpApi api;

    @BeforeAll
    static void start() {
        api = new HttpApi(MIGRATION, state, new CutoverCoordinator(Flow.first(MIGRATION), state));
        api.start();
    }

    @AfterAll
    static void stop() {
        api.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "Authorization: Bearer\r\n",
                "Authorization: Bearer \r\n",
                "Authorization: Bearer 0000\r\n",
                "Authorization: bearer %s\r\n",
                "Authorization: Basic %s\r\n",
                "Authorization: Bearer %sx\r\n",
                "Authorization: %s\r\n",
                "Cookie: token=%s\r\n",
                "X-Token: %s\r\n"
            })
    void withoutTheExactTokenNothingChanges(String header) throws Exception {
        String token = Files.readString(HttpApi.tokenFile(state)).strip();
        for (String path :
                List.of("/api/cutover", "/api/cutover?dryRun=true", "/api/abort", "/api/abort?token=" + token)) {
            String answer = ask(
                    "POST " + path + " HTTP/1.1\r\n" + HOST + header.formatted(token) + "Content-Length: 0\r\n\r\n");
            assertThat(answer)
                    .startsWith("HTTP/1.1 401 ")
                    .contains("a token is needed")
                    .doesNotContain(token);
        }
    }

    @Test
    void otherMethodsAndPathsAreNoWayAround() throws Exception {
        for (String method : List.of("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "post")) {
            String answer = ask(method + " /api/cutover HTTP/1.1\r\n" + HOST + "\r\n");
            assertThat(answer).startsWith("HTTP/1.1 405 ").doesNotContain("Access-Control-Allow");
        }
        for (String path :
                List.of("/api/cutover/", "//api/cutover", "/api/../api/cutover", "/api/%63utover%00", "/token")) {
            assertThat(ask("POST " + path + " HTTP/1.1\r\n" + HOST + "Content-Length: 0\r\n\r\n"))
                    .doesNotStartWith("HTTP/1.1 2");
            assertThat(ask("GET " + path + " HTTP/1.1\r\n" + HOST + "\r\n")).doesNotStartWith("HTTP/1.1 2");
        }
    }

    /** A page of another origin whose name resolves to 127.0.0.1 must not read anything; the page's name is in the Host header. */
    @ParameterizedTest
    @ValueSource(
            strings = {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", ""})
    void aForeignHostNameIsRefused(String host) throws Exception {
        for (String path : List.of("/api/status", "/metrics", "/readyz?verbose")) {
            assertThat(ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"))
                    .startsWith("HTTP/1.1 421 ");
        }
        for (String ours : List.of("127.0.0.1", "127.0.0.1:" + api.port(), "localhost:1", "[::1]:9")) {
            assertThat(ask("GET /livez HTTP/1.1\r\nHost: " + ours + "\r\n\r\n")).startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void garbageAndHugeBodiesAreRefusedAndTheNextIsServed() throws Exception {
        for (String garbage : List.of(
                "\r\n\r\n\r\n",
                "\0\1\2\3\r\n\r\n",
                "GET\r\n\r\n",
                "GET http://[ HTTP/1.1\r\n" + HOST + "\r\n",
                "POST /api/abort HTTP/1.1\r\n" + HOST + "Content-Length: -5\r\n\r\n",
                "POST /api/abort HTTP/1.1\r\n" + HOST + "Content-Length: x\r\n\r\n",
                "POST /api/abort HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                "GET /" + "x".repeat(100_000) + " HTTP/1.1\r\n" + HOST + "\r\n")) {
            assertThat(ask(garbage)).satisfiesAnyOf(answer -> assertThat(answer).isEmpty(), answer -> assertThat(answer)
                    .startsWith("HTTP/1.1 4"));
        }
        String huge =
                ask("POST /api/abort HTTP/1.1\r\n" + HOST + "Content-Length: 1000000\r\n\r\n" + "x".repeat(100_000));
        assertThat(huge).startsWith("HTTP/1.1 413 ");
        assertServes();
    }

    /** Clients that never end their request. */
    @Test
    void slowClientsAreCutOffAndOthersAreServed() throws Exception {
        List<Socket> slow = new ArrayList<>();
        try {
            for (int i = 0; i < 40; i++) {
                Socket socket = connect();
                slow.add(socket);
                String begun = i % 2 == 0
                        ? "GET /api/status HTTP/1.1\r\nHost: 127"
                        : "POST /api/abort HTTP/1.1\r\n" + HOST + "Content-Length: 1000\r\n\r\nx";
                socket.getOutputStream().write(begun.getBytes(StandardCharsets.US_ASCII));
            }
            assertServes();
            for (Socket socket : slow) {
                assertThat(read(socket)).as("cut off by the server").doesNotStartWith("HTTP/1.1 2");
            }
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
    }

    private static void assertServes() throws IOException {
        assertThat(ask("GET /livez HTTP/1.1\r\n" + HOST + "\r\n")).startsWith("HTTP/1.1 200 ");
    }

    private static Socket connect() throws IOException {
        Socket socket = new Socket("127.0.0.1", api.port());
        socket.setSoTimeout(120_000);
        return socket;
    }

    private static String ask(String request) throws IOException {
        try (Socket socket = connect()) {
            try {
                socket.getOutputStream()
                        .write(request.replaceFirst("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
                                .getBytes(StandardCharsets.ISO_8859_1));
            } catch (IOException e) {
                // The server may have closed its side already; the answer can still be read.
                return read(socket);
            }
            return read(socket);
        }
    }

    /** Everything until the server closes the connection; nothing if the connection was reset. */
    private static String read(Socket socket) {
        StringBuilder answer = new StringBuilder();
        try {
            InputStream in = socket.getInputStream();
            for (int b = in.read(); b >= 0; b = in.read()) {
                answer.append((char) b);
            }
        } catch (IOException e) {
            assertThat(e)
                    .as("no answer, and the connection stays open")
                    .isNotInstanceOf(java.net.SocketTimeoutException.class);
        }
        return answer.toString();
    }
}
