package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TargetState;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.journal.Journal;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.sink.SinkApplier;
import java.sql.Connection;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A target that an earlier version prepared: its journal names no generation. Nothing of it is taken over. */
class EarlierVersionTest {
    @Test
    void bothServicesRefuseTheTargetByNameAndTheRemedyHelps() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("earlier", 15, 15)) {
            Flow flow = migration.flow();
            try (Connection target = Sessions.open(flow.migration(), flow.to(), "test")) {
                TargetState.create(target);
                Journal.first(target, flow.generation());
            }
            migration.execute(
                    flow.to(),
                    "INSERT INTO wherry.migration (name, source_system, deferred) VALUES ('earlier', '1', '')",
                    "ALTER TABLE wherry.journal DROP COLUMN generation");
            try (SinkApplier sink = new SinkApplier(flow);
                    CutoverCoordinator coordinator =
                            new CutoverCoordinator(flow, migration.directory.resolve("state"))) {
                sink.start();
                assertThatThrownBy(() -> sink.done().toCompletableFuture().get(2, TimeUnit.MINUTES))
                        .isInstanceOf(ExecutionException.class)
                        .hasRootCauseInstanceOf(DataException.class)
                        .hasMessageContaining("an earlier version of Wherry wrote it");
                assertThatThrownBy(coordinator::start)
                        .isInstanceOf(DataException.class)
                        .hasMessageContaining("schema wherry on the target");
            }
            migration.execute(flow.to(), "DROP SCHEMA wherry CASCADE");
            try (Connection target = Sessions.open(flow.migration(), flow.to(), "test")) {
                TargetState.create(target);
                assertThat(Journal.read(target)).isEmpty();
            }
        }
    }
}
