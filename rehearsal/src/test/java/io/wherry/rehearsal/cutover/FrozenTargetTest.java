package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.servers.FrozenWire;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A target that answers no more, and whose sessions stay open: nobody is told, so only time limits end the window. */
@EveryThirdDay(1)
final class FrozenTargetTest {
    /** The window, and ten seconds for each of two answers, on a busy machine. */
    private static final Duration OPEN_AGAIN = Duration.ofSeconds(60);

    @Test
    void theSourceServesAgainAlthoughTheTargetDoesNotSayThatTheCutoverIsAborted() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("frozen", 15, 17);
                FrozenWire wire = new FrozenWire(migration.target().port())) {
            migration.file("verify: {witness: off}");
            migration.configure("127.0.0.1:" + migration.target().port() + "/", "127.0.0.1:" + wire.port() + "/");
            migration.configure("max-downtime: 2m", "max-downtime: 15s");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.plain (id int PRIMARY KEY)",
                    "INSERT INTO public.plain SELECT generate_series(1, 100)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);

            CompletableFuture<CutoverResult> asked;
            try (Connection holding = DriverManager.getConnection(
                    migration.target().jdbcUrl(migration.database()),
                    migration.target().superuser(),
                    migration.target().password())) {
                holding.setAutoCommit(false);
                Queries.execute(holding, "LOCK TABLE public.plain IN ACCESS EXCLUSIVE MODE");
                asked = migration.coordinator().cutover(false).toCompletableFuture();
                migration.awaitState(State.VERIFYING);
                wire.freeze();
            }
            Endpoint application =
                    RehearsalDatabase.endpoint(migration.source(), migration.database(), RehearsalDatabase.APPLICATION);
            await("the source to serve again")
                    .atMost(OPEN_AGAIN)
                    .ignoreExceptions()
                    .until(() -> {
                        DriverManager.getConnection(application.url(), application.user(), application.password())
                                .close();
                        return true;
                    });
            assertThat(asked).as("the target has not answered yet").isNotDone();

            wire.thaw();
            assertThat(asked.get().outcome()).isEqualTo(Outcome.ABORTED);
            migration.configure("max-downtime: 15s", "max-downtime: 2m");
            migration.execute(migration.migration().source(), "INSERT INTO public.plain VALUES (101)");
            migration.cutOverAndCompare();
        }
    }
}
