package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.service.Effect;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Services that hang keep their sessions and their port: an orchestrator's probe must tell them from services that work. */
@Tag("slow")
final class HungServicesTest {
    private static final int START_AGAIN = 75;
    private static final Duration ANSWER = Duration.ofSeconds(10);
    private static ServerPair servers;

    private final HttpClient client = HttpClient.newHttpClient();

    @BeforeAll
    static void start() {
        servers = new ServerPair();
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    @Test
    void aHungSourceConnectorOrSinkApplierIsNotReportedAsReady() throws Exception {
        try (MigrationFixture migration = withItems("hung")) {
            migration.startCoordinator();
            migration.startProcess("source");
            migration.startProcess("sink");
            migration.awaitState(State.IN_SYNC);
            assertThat(ask(migration, "readyz").body()).isEqualTo("ok\n");

            migration.signal("source", "STOP");
            awaitAnswer(migration, "readyz", 503, "source-connector: no report for");
            assertThat(ask(migration, "readyz").body()).doesNotContain("sink-applier");
            migration.signal("sink", "STOP");
            awaitAnswer(migration, "readyz", 503, "sink-applier: no activity of the session that holds its lock for");
            // The coordinator is well, and must not be ended for the sake of others.
            assertThat(ask(migration, "livez").statusCode()).isEqualTo(200);

            migration.signal("source", "CONT");
            migration.signal("sink", "CONT");
            awaitAnswer(migration, "readyz", 200, "ok\n");
            migration.execute(migration.migration().source(), "INSERT INTO public.item VALUES (-1, 'awake')");
            migration.cutOverAndCompare();
        }
    }

    @Test
    void aSinkApplierWithAHungThreadEndsItsProcess() throws Exception {
        try (MigrationFixture migration = withItems("hungsink")) {
            migration.startCoordinator();
            migration.startSource();
            migration.startHanging("sink", Effect.BATCH_APPLIED);
            migration.awaitState(State.IN_SYNC);
            migration.execute(migration.migration().source(), "INSERT INTO public.item VALUES (-1, 'never applied')");
            await("a worker has the change and hangs")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.number(
                                    migration.migration().target(),
                                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                            + " AND application_name LIKE 'wherry hungsink sink%'"
                                            + " AND state = 'idle in transaction'")
                            > 0);
            migration.endLockSession(migration.migration().target(), "sink");
            assertThat(migration.awaitEnd("sink")).isEqualTo(START_AGAIN);
            assertThat(migration.log("sink")).contains("did not end within 5 s");
            migration.startProcess("sink");
            migration.cutOverAndCompare();
        }
    }

    @Test
    void aCoordinatorWhoseThreadHangsDoesNotReportThatItLives() throws Exception {
        try (MigrationFixture migration = withItems("hungcoordinator")) {
            migration.startHanging("coordinator", Effect.IN_SYNC);
            migration.startSource();
            migration.startSink();
            awaitAnswer(migration, "livez", 200, "ok\n");
            awaitAnswer(migration, "livez", 503, "cutover-coordinator: its thread has made no turn for");
            assertThat(ask(migration, "readyz").statusCode()).isEqualTo(503);
            migration.signal("coordinator", "TERM");
            migration.awaitEnd("coordinator");
            migration.startCoordinator();
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    private static MigrationFixture withItems(String name) throws SQLException {
        MigrationFixture migration = MigrationFixture.between(servers, name);
        migration.file("");
        migration.execute(
                migration.migration().source(),
                "CREATE TABLE public.item (id int PRIMARY KEY, body text)",
                "INSERT INTO public.item SELECT i, 'x' FROM generate_series(1, 1000) i");
        return migration;
    }

    private void awaitAnswer(MigrationFixture migration, String path, int status, String part) {
        await(path + " " + status + " with " + part)
                .atMost(MigrationFixture.PATIENCE)
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> {
                    HttpResponse<String> answer = ask(migration, path);
                    return answer.statusCode() == status && answer.body().contains(part);
                });
    }

    private HttpResponse<String> ask(MigrationFixture migration, String path) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(
                        "http://127.0.0.1:" + migration.migration().http().port() + "/" + path))
                .timeout(ANSWER)
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }
}
