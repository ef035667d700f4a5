package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.FreePorts;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What a migration in three processes exports to Prometheus and writes to its logs. */
final class MetricsTest {
    private static final Pattern SAMPLE = Pattern.compile("(?m)^([a-z_]+)(\\{.*})? [0-9.E+-]+$");

    private final HttpClient client = HttpClient.newHttpClient();

    @Test
    void everyMetricThatRulesAndDashboardNameIsExportedByAMigration() throws Exception {
        int port = FreePorts.next();
        try (ServerPair servers = new ServerPair(18, 18);
                MigrationFixture migration = MigrationFixture.between(servers, "metrics");
                BrokerDisk disk = new BrokerDisk(migration.directory)) {
            assertThat(disk).isNotNull();
            migration.file("");
            migration.configure("http: {", "http: {source: \"127.0.0.1:" + port + "\", ");
            migration.executeAsSuperuser(
                    migration.source(),
                    "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'",
                    "ALTER SYSTEM SET idle_replication_slot_timeout = '1d'",
                    "SELECT pg_reload_conf()",
                    "CREATE TABLE public.item (id int PRIMARY KEY, body text)",
                    "ALTER TABLE public.item OWNER TO wherry",
                    "INSERT INTO public.item SELECT i, 'x' FROM generate_series(1, 100) i",
                    "ANALYZE public.item");
            migration.startCoordinator();
            migration.startProcessLogging("source", "json,INFO");
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            // A busy machine may lose the state, and find it again.
            await("the state is shown").atMost(MigrationFixture.PATIENCE).untilAsserted(() -> assertThat(
                            wherrys(migration))
                    .contains("wherry_state{migration=\"metrics\",state=\"IN_SYNC\"} 1.0")
                    .contains("wherry_rows_loaded_total{migration=\"metrics\",table=\"public.item\"} 100.0")
                    .contains("wherry_cutover_max_lag_seconds{migration=\"metrics\"} 20.0")
                    .as("a client reads the slot")
                    .noneMatch(line -> line.startsWith("wherry_slot_idle_left_seconds")));
            assertThat(wherrys(migration)).noneMatch(line -> line.endsWith("NaN"));
            Set<String> seen = names(scrape(migration.coordinator().httpPort()));
            assertThat(seen).anyMatch(name -> name.startsWith("kafka_consumer_"));
            assertThat(scrape(port).lines())
                    .anyMatch(line -> line.startsWith("kafka_producer_record_send_total{"))
                    .anyMatch(line -> line.startsWith("jvm_memory_used_bytes{") && line.contains("\"metrics\""))
                    .noneMatch(line -> line.contains("topic="));

            migration.kill("source");
            await("the slot is neither read nor moved")
                    .atMost(MigrationFixture.PATIENCE)
                    .pollInterval(Duration.ofSeconds(1))
                    .untilAsserted(() -> {
                        migration.execute(
                                migration.migration().source(),
                                "UPDATE public.item SET body = repeat('y', 1000) WHERE id < 100");
                        seen.addAll(names(scrape(migration.coordinator().httpPort())));
                        Set<String> missing = new TreeSet<>(Monitoring.metrics());
                        missing.removeAll(seen);
                        assertThat(missing).isEmpty();
                    });
            assertThat(Monitoring.metrics()).hasSizeGreaterThan(20);
            assertEachLineIsJson(migration.log("source"));
        }
    }

    private static void assertEachLineIsJson(String log) throws IOException {
        assertThat(log.lines()).isNotEmpty();
        for (String line : log.split("\n")) {
            JsonNode event = Json.mapper().readTree(line);
            assertThat(event.path("service").asText()).as(line).isEqualTo("source-connector");
            assertThat(event.path("migration").asText()).as(line).isEqualTo("metrics");
            assertThat(event.path("level").asText()).as(line).isIn("INFO", "WARN");
            assertThat(event.path("message").asText()).as(line).isNotBlank();
        }
    }

    /** The coordinator's samples of Wherry itself. */
    private List<String> wherrys(MigrationFixture migration) throws IOException, InterruptedException {
        return scrape(migration.coordinator().httpPort())
                .lines()
                .filter(line -> line.startsWith("wherry_"))
                .toList();
    }

    private String scrape(int port) throws IOException, InterruptedException {
        return client.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics"))
                                .build(),
                        BodyHandlers.ofString())
                .body();
    }

    private static Set<String> names(String text) {
        return SAMPLE.matcher(text)
                .results()
                .map(found -> found.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
