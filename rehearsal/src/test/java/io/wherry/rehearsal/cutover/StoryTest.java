package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.cutover.Step;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.CoordinatorLoop;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.traffic.TrafficSwitch;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.rehearsal.fixture.StandInServices;
import io.wherry.rehearsal.fixture.StoryText;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** The list of steps alone defines what a cutover does. */
@EveryThirdDay(2)
final class StoryTest {
    private static final String TITLE = "stop the cron jobs of the applications";

    private final List<String> done = new CopyOnWriteArrayList<>();

    @Test
    void aStepThatIsAddedToTheListIsPlannedDrawnDoneAndUndone() throws Exception {
        try (TwoServers servers = new TwoServers("story", 15, 17).seeded()) {
            List<Step> steps = new ArrayList<>(Story.STEPS);
            int verify = steps.indexOf(steps.stream()
                    .filter(step -> step.state() == State.VERIFYING)
                    .findFirst()
                    .orElseThrow());
            steps.add(
                    verify,
                    new Step(
                            State.DRAINING,
                            TITLE,
                            sides -> List.of("3 jobs"),
                            attempt -> {
                                done.add("stopped");
                                if (done.size() == 1) {
                                    throw new IllegalStateException("no such scheduler");
                                }
                                if (done.size() == 3) {
                                    throw new NoClassDefFoundError("org/example/Cron");
                                }
                                return Map.of("jobs", 3);
                            },
                            attempt -> {
                                assertThatThrownBy(() -> logIn(servers))
                                        .as("undone before the fence that was closed earlier")
                                        .isInstanceOf(SQLException.class);
                                done.add("started");
                            }));
            assertThat(StoryText.diagram(steps)).contains("DRAINING : " + TITLE);
            assertThat(StoryText.runbook(steps))
                    .contains("| `DRAINING` | " + TITLE + " | the cutover aborts | taken back |");

            Migration migration = servers.migration().withServers(SharedBroker.clientProperties(), "http://unused");
            try (StandInServices services = new StandInServices(servers, migration);
                    CoordinatorLoop loop = new CoordinatorLoop(
                            Flow.first(migration), TrafficSwitch.of(Flow.first(migration)), steps, Failpoints.NONE)) {
                loop.start();
                Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> {
                    try (Connection target = servers.openTarget()) {
                        return Journal.read(target).isPresent();
                    }
                });
                services.load();
                await(loop, State.IN_SYNC);
                assertThat(cutover(loop, true).plan()).containsSubsequence("DRAINING: " + TITLE, "3 jobs");

                CutoverResult aborted = cutover(loop, false);
                assertThat(aborted.outcome()).isEqualTo(Outcome.ABORTED);
                assertThat(aborted.reason()).contains("no such scheduler");
                assertThat(done).containsExactly("stopped", "started");
                logIn(servers);

                await(loop, State.IN_SYNC);
                CutoverResult failed = cutover(loop, false);
                assertThat(failed.outcome()).as("an error aborts too").isEqualTo(Outcome.ABORTED);
                assertThat(failed.reason()).contains("NoClassDefFoundError: org/example/Cron");
                logIn(servers);

                await(loop, State.IN_SYNC);
                assertThat(cutover(loop, false).outcome()).isEqualTo(Outcome.COMPLETED);
                assertThat(done).containsExactly("stopped", "started", "stopped", "started", "stopped");
                try (Connection target = servers.openTarget()) {
                    assertThat(Queries.string(
                                    target, "SELECT detail ->> 'jobs' FROM wherry.journal WHERE state = 'VERIFYING'"))
                            .contains("3");
                }
            }
        }
    }

    private static void logIn(TwoServers servers) throws SQLException {
        DriverManager.getConnection(servers.source.jdbcUrl("shop"), "app", "app")
                .close();
    }

    private static CutoverResult cutover(CoordinatorLoop loop, boolean dryRun) throws Exception {
        return loop.cutover(dryRun, Set.of()).toCompletableFuture().get(60, TimeUnit.SECONDS);
    }

    private static void await(CoordinatorLoop loop, State state) {
        Awaitility.await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(loop.status())
                .as("%s", loop.status())
                .extracting(Status::state)
                .isEqualTo(state));
    }
}
