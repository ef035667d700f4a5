package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A slot that is gone is reported, never silently re-created; the reported remedy helps. */
@EveryThirdDay(1)
class SlotGuardTest {
    @Test
    void droppedWhileUpThenLostWhileDown() throws Exception {
        try (MigrationFixture migration = MigrationFixture.alone("slot", 15, 15)) {
            migration.file("");
            String slot = migration.group().slot();
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.item (id int PRIMARY KEY, n int, body text)",
                    "INSERT INTO public.item SELECT i, i, 'x' FROM generate_series(1, 1000) i",
                    "CREATE TABLE public.log (n int)",
                    "INSERT INTO public.log SELECT i % 10 FROM generate_series(1, 100) i");
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source");
            migration.awaitState(State.IN_SYNC);

            migration.execute(
                    migration.migration().source(),
                    "DO $$ BEGIN PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '"
                            + slot + "'; FOR i IN 1..100 LOOP BEGIN PERFORM pg_drop_replication_slot('" + slot
                            + "'); RETURN; EXCEPTION WHEN object_in_use THEN PERFORM pg_sleep(0.05); END; END LOOP; END $$",
                    "UPDATE public.item SET n = -n WHERE id <= 10",
                    "DELETE FROM public.log WHERE n = 3");
            awaitDeclared(migration, "it was dropped");
            reload(migration, slot);

            // The service is down, and there is a limit: the WAL that the slot needs is removed.
            migration.kill("source");
            migration.executeAsSuperuser(migration.source(), "ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
            migration.executeAsSuperuser(migration.source(), "SELECT pg_reload_conf()");
            await("the limit is shown").atMost(MigrationFixture.PATIENCE).until(() -> Long.valueOf(16 << 20)
                    .equals(migration.coordinator().status().slot().keepBytes()));
            for (int i = 0; i < 6; i++) {
                migration.execute(
                        migration.migration().source(),
                        "INSERT INTO public.item SELECT i, i, repeat('y', 1000) FROM generate_series(" + (i + 1)
                                + " * 10000, " + (i + 1) + " * 10000 + 5000) i",
                        "SELECT pg_switch_wal()",
                        "CHECKPOINT");
            }
            await("lost").atMost(MigrationFixture.PATIENCE).until(() -> "lost"
                    .equals(migration.coordinator().status().slot().walStatus()));
            assertThat(migration.coordinator().status().state()).isNotEqualTo(State.IN_SYNC);
            migration.startProcess("source");
            awaitDeclared(migration, "max_slot_wal_keep_size");
            reload(migration, slot);
            migration.completeExactly();
        }
    }

    @Tag("slow")
    @Test
    void aSlotThatNoConnectorReadsIsReportedBeforeTheSourceDropsIt() throws Exception {
        try (ServerPair servers = new ServerPair(18, 18);
                MigrationFixture migration = MigrationFixture.between(servers, "idleslot")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.item (id int PRIMARY KEY)",
                    "INSERT INTO public.item VALUES (1)",
                    "ALTER SYSTEM SET idle_replication_slot_timeout = '10min'",
                    "SELECT pg_reload_conf()");
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source");
            migration.awaitState(State.IN_SYNC);
            assertThat(migration.coordinator().status().slot().lostInSeconds())
                    .as("while a source-connector reads the slot")
                    .isNull();
            migration.kill("source");
            await("status says when the slot will be lost")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().slot().lostInSeconds() != null);
            assertThat(migration.coordinator().status().slot().lostInSeconds()).isBetween(300L, 600L);
            // The remedy that check offers.
            migration.execute(source, "ALTER SYSTEM SET idle_replication_slot_timeout = 0", "SELECT pg_reload_conf()");
            await("the slot is no longer at risk")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().slot().lostInSeconds() == null);
            migration.execute(source, "INSERT INTO public.item VALUES (2)");
            migration.startProcess("source");
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    private static void awaitDeclared(MigrationFixture migration, String reason) {
        await("reported: " + reason)
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.coordinator().status().waitsFor().contains(reason)
                        && migration.coordinator().status().nextSteps().contains("wherry reload --all"));
        assertThat(migration.cutOver()).extracting(CutoverResult::outcome).isEqualTo(Outcome.REFUSED);
        assertThat(migration.isAlive("source")).isTrue();
    }

    private static void reload(MigrationFixture migration, String slot) throws Exception {
        assertThat(migration.coordinator().reload(Optional.empty())).hasSize(2);
        await("a new slot")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.number(
                                migration.migration().source(),
                                "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '" + slot + "'")
                        == 1);
        await("loading again")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.coordinator().status().nextSteps().stream()
                        .noneMatch(step -> step.contains("reload")));
        migration.awaitState(State.IN_SYNC);
    }
}
