package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.cutover.StateMachine;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.StateTime;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.schema.SchemaCompare;
import io.wherry.coordinator.verify.DataCompare;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.rehearsal.fixture.StandInServices;
import io.wherry.rehearsal.fixture.TwoServers;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CutoverCoordinatorTest {
    private static final StateMachine MACHINE = new StateMachine(Story.STEPS);

    @Test
    void aDifferenceAbortsAndTheNextCutoverCompletes(@TempDir Path directory) throws Exception {
        try (TwoServers servers = new TwoServers("difference", 11, 17).seeded()) {
            Migration migration = servers.migration().withServers(SharedBroker.clientProperties(), "http://unused");
            CutoverCoordinator coordinator = new CutoverCoordinator(Flow.first(migration), directory);
            try (StandInServices services = new StandInServices(servers, migration)) {
                coordinator.start();
                awaitState(servers, coordinator, State.LOADING);
                assertThat(coordinator.status().lag().endToEndMillis()).isNull();
                assertThat(result(coordinator, false).outcome()).isEqualTo(Outcome.REFUSED);
                services.load();
                awaitState(servers, coordinator, State.IN_SYNC);
                assertThat(coordinator.status().lag().kafkaToTargetRecords()).isZero();
                assertThat(coordinator.status().tables())
                        .allMatch(t -> t.state().equals("APPLYING"));
                assertThat(result(coordinator, true).plan())
                        .contains("source: ALTER ROLE \"app\" NOLOGIN", "target: TRIGGER customer touched");
                http(coordinator);

                servers.run(servers.target, "shop", "UPDATE ONLY public.animal SET name = 'other'");
                CutoverResult aborted = result(coordinator, false);
                assertThat(aborted.outcome()).isEqualTo(Outcome.ABORTED);
                assertThat(aborted.reason()).contains("public.animal: 1 rows differ");
                assertThat(coordinator.status().servedBy()).isEqualTo("source");
                app(servers).close();
                servers.run(servers.target, "shop", "UPDATE ONLY public.animal SET name = 'cat'");

                // The next coordinator knows nothing yet. Seen to cut over at once, because the journal said IN_SYNC.
                awaitState(servers, coordinator, State.IN_SYNC);
                coordinator.close();
                coordinator = new CutoverCoordinator(Flow.first(migration), directory);
                coordinator.start();
                assertThat(result(coordinator, false).reason()).startsWith("in state ");

                // Killed in the window: the next coordinator opens the source again.
                awaitState(servers, coordinator, State.IN_SYNC);
                coordinator.close();
                try (Connection target = servers.openTarget();
                        Connection source = servers.openSource()) {
                    Fence.Plan plan = Fence.plan(source, migration.cutover().fence(), List.of());
                    Journal journal = Journal.read(target).orElseThrow();
                    journal.advance(target, MACHINE.require(journal.state(), Event.CUTOVER), Map.of("fence", plan));
                    Fence.close(source, plan);
                }
                coordinator = new CutoverCoordinator(Flow.first(migration), directory);
                coordinator.start();
                awaitState(servers, coordinator, State.CATCHING_UP);
                app(servers).close();

                awaitState(servers, coordinator, State.IN_SYNC);
                CutoverResult completed = result(coordinator, false);
                assertThat(completed.reason()).isEmpty();
                assertThat(completed.outcome()).isEqualTo(Outcome.COMPLETED);
                assertThat(coordinator.status().servedBy()).isEqualTo("target");
                assertThat(coordinator.comparison().orElseThrow().rowsDifferent())
                        .isZero();
                assertThat(coordinator.states())
                        .extracting(StateTime::state)
                        .containsSubsequence(
                                State.FENCING,
                                State.DRAINING,
                                State.VERIFYING,
                                State.PREPARING_TARGET,
                                State.SWITCHING,
                                State.COMPLETED);
                coordinator.done().toCompletableFuture().get(60, TimeUnit.SECONDS);
                SchemaCompare.Result schema =
                        new SchemaCompare(Flow.first(migration), TwoServers.tools(migration)).run();
                assertThat(schema.onlyOnSource()).isEmpty();
                assertThat(schema.onlyOnTarget()).isEmpty();
                assertThat(new DataCompare(Flow.first(migration)).run().differences())
                        .isEmpty();
            } finally {
                coordinator.close();
                SharedBroker.forget(migration.name());
            }
        }
    }

    private static void http(CutoverCoordinator coordinator) throws Exception {
        String base = "http://127.0.0.1:" + coordinator.httpPort();
        HttpClient client = HttpClient.newHttpClient();
        HttpResponse<String> status = client.send(
                HttpRequest.newBuilder(URI.create(base + "/api/status")).build(), HttpResponse.BodyHandlers.ofString());
        assertThat(status.statusCode()).isEqualTo(200);
        assertThat(Json.mapper().readTree(status.body()).get("state").asText()).isEqualTo("IN_SYNC");
        for (String token : List.of("", "Bearer wrong", "secret")) {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + "/api/cutover?dryRun=true"))
                    .POST(HttpRequest.BodyPublishers.noBody());
            if (!token.isEmpty()) {
                request.header("Authorization", token);
            }
            assertThat(client.send(request.build(), HttpResponse.BodyHandlers.ofString())
                            .statusCode())
                    .isEqualTo(401);
        }
        HttpResponse<String> plan = client.send(
                HttpRequest.newBuilder(URI.create(base + "/api/cutover?dryRun=true"))
                        .header("Authorization", "Bearer secret")
                        .POST(HttpRequest.BodyPublishers.noBody())
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(plan.statusCode()).isEqualTo(200);
        assertThat(plan.body()).contains("PLANNED");
        String metrics = client.send(
                        HttpRequest.newBuilder(URI.create(base + "/metrics")).build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
        assertThat(metrics).contains("state=\"IN_SYNC\"} 1.0", "wherry_end_to_end_lag_seconds{");
    }

    private static CutoverResult result(CutoverCoordinator coordinator, boolean dryRun) throws Exception {
        return coordinator.cutover(dryRun).toCompletableFuture().get(60, TimeUnit.SECONDS);
    }

    private static void awaitState(TwoServers servers, CutoverCoordinator coordinator, State state) {
        Awaitility.await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
            try (Connection target = servers.openTarget()) {
                assertThat(Journal.read(target)).isPresent();
            }
            assertThat(coordinator.status())
                    .as("%s", coordinator.status())
                    .extracting(Status::state)
                    .isEqualTo(state);
        });
    }

    private static Connection app(TwoServers servers) throws Exception {
        return DriverManager.getConnection(servers.source.jdbcUrl("shop"), "app", "app");
    }
}
