package io.wherry.contract.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.service.Service;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ServiceHttpTest {
    private final HttpClient client = HttpClient.newHttpClient();
    private final StandIn service = new StandIn();

    @TempDir
    private Path state;

    @Test
    void aServiceThatHangsDoesNotLive() throws Exception {
        try (ServiceHttp http = started("sink: '127.0.0.1:0'")) {
            assertThat(get(http, "/livez").body()).isEqualTo("ok\n");
            service.hanging = Optional.of("sink-applier: its thread has made no turn for 300 s");
            assertThat(get(http, "/livez").statusCode()).isEqualTo(503);
            assertThat(get(http, "/livez").body()).contains("made no turn for 300 s");
        }
    }

    @Test
    void metricsTellOfTheJvmAndTheProcessByThePrometheusNames() throws Exception {
        try (ServiceHttp http = started("sink: '127.0.0.1:0'")) {
            HttpResponse<String> answer = get(http, "/metrics");
            assertThat(answer.headers().firstValue("Content-Type").orElse("")).startsWith("text/plain; version=0.0.4");
            assertThat(answer.body().lines())
                    .anyMatch(line -> line.matches("process_cpu_seconds_total\\{migration=\"shop\"} \\d+\\.\\d+"))
                    .anyMatch(line -> line.matches("process_uptime_seconds\\{migration=\"shop\"} \\d+\\.\\d+"))
                    .anyMatch(
                            line -> line.matches("process_resident_memory_bytes\\{migration=\"shop\"} \\d\\.\\d+E\\d"))
                    .anyMatch(line -> line.startsWith("jvm_memory_used_bytes{area=\"heap\""));
        }
    }

    @Test
    void nothingElseIsServedAndNothingIsChanged() throws Exception {
        try (ServiceHttp http = started("sink: '127.0.0.1:0'")) {
            assertThat(get(http, "/api/status").statusCode()).isEqualTo(404);
            HttpRequest post = HttpRequest.newBuilder(uri(http, "/metrics"))
                    .POST(BodyPublishers.noBody())
                    .build();
            assertThat(client.send(post, BodyHandlers.ofString()).statusCode()).isEqualTo(405);
        }
    }

    @Test
    void whereReadingNeedsATokenSoDoMetricsButNotTheSignOfLife() throws Exception {
        try (ServiceHttp http = started("sink: '127.0.0.1:0', reading: token")) {
            assertThat(get(http, "/livez").statusCode()).isEqualTo(200);
            assertThat(get(http, "/metrics").statusCode()).isEqualTo(401);
            String token = Files.readString(AccessToken.file(state));
            HttpRequest request = HttpRequest.newBuilder(uri(http, "/metrics"))
                    .header("Authorization", "Bearer " + token)
                    .build();
            assertThat(client.send(request, BodyHandlers.ofString()).statusCode())
                    .isEqualTo(200);
        }
    }

    private ServiceHttp started(String settings) {
        Migration migration = MigrationFile.parse(
                "{name: shop, source: {url: 'jdbc:postgresql://h/s', user: u},"
                        + " target: {url: 'jdbc:postgresql://h/t', user: u}, http: {" + settings + "}}",
                Map.of());
        ServiceHttp http =
                new ServiceHttp("http.sink", migration.http().sink().orElseThrow(), migration, state, service);
        http.start();
        return http;
    }

    private HttpResponse<String> get(ServiceHttp http, String path) throws Exception {
        return client.send(HttpRequest.newBuilder(uri(http, path)).build(), BodyHandlers.ofString());
    }

    private static URI uri(ServiceHttp http, String path) {
        return URI.create("http://127.0.0.1:" + http.port() + path);
    }

    /** Works, until told to hang. */
    private static final class StandIn implements Service {
        private volatile Optional<String> hanging = Optional.empty();

        @Override
        public void start() {}

        @Override
        public CompletionStage<Void> done() {
            return new CompletableFuture<>();
        }

        @Override
        public Optional<String> hangs() {
            return hanging;
        }

        @Override
        public void close() {}
    }
}
