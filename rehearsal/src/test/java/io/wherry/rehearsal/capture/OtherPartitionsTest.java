package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Targets with other partitions than their source, or where only one side is partitioned; from 15 to 17 unless {@code
 * -Dwherry.source=18 -Dwherry.target=18} set other versions.
 */
@EveryThirdDay(2)
final class OtherPartitionsTest {
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    private final ServerPair servers =
            ServerPair.shared(Integer.getInteger("wherry.source", 15), Integer.getInteger("wherry.target", 17));

    @Test
    void rowsFindTheirPartitionWhereverItIs() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "other-partitions")) {
            existing(migration, "tables: {include: [\"public.*\"], whole: [\"public.events\", \"public.metrics\"]}");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            String events =
                    "(id bigint, at date, kind text DEFAULT 'new', body text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)";
            String metrics = "(place text, value numeric, note text)";
            String notes = "(id int PRIMARY KEY, body text)";
            String lines = "(a int, b text)";
            migration.execute(
                    source,
                    "CREATE TABLE public.events " + events,
                    "CREATE TABLE public.events_2024_01 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
                    "CREATE TABLE public.events_2024_02 (body text, kind text DEFAULT 'new', gone int, at date NOT NULL,"
                            + " id bigint NOT NULL, PRIMARY KEY (id, at))",
                    "ALTER TABLE public.events_2024_02 DROP gone",
                    "ALTER TABLE public.events ATTACH PARTITION public.events_2024_02 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
                    "CREATE TABLE public.metrics " + metrics + " PARTITION BY LIST (place)",
                    "CREATE TABLE public.metrics_north PARTITION OF public.metrics FOR VALUES IN ('north')",
                    "CREATE TABLE public.metrics_else PARTITION OF public.metrics DEFAULT PARTITION BY HASH (place)",
                    "CREATE TABLE public.metrics_else_0 PARTITION OF public.metrics_else FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
                    "CREATE TABLE public.metrics_else_1 PARTITION OF public.metrics_else FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
                    "CREATE TABLE public.notes " + notes,
                    "CREATE TABLE public.lines " + lines,
                    "INSERT INTO public.events SELECT i, date '2024-01-01' + i % 60, 'k' || i % 7,"
                            + " CASE WHEN i % 100 = 0 THEN (SELECT string_agg(md5(i || ' ' || j), '') FROM generate_series(1, 500) j) END"
                            + " FROM generate_series(1, 3000) AS i",
                    "INSERT INTO public.metrics SELECT (ARRAY['north', 'south', 'east', 'west'])[1 + i % 4], i % 50, NULL"
                            + " FROM generate_series(1, 2000) AS i",
                    "INSERT INTO public.notes SELECT i, 'n' || i FROM generate_series(1, 1000) AS i",
                    "INSERT INTO public.lines SELECT i % 20, 'l' || i % 3 FROM generate_series(1, 1500) AS i");
            migration.execute(
                    target,
                    "CREATE TABLE public.events " + events,
                    "DO $$ BEGIN FOR w IN 0..30 LOOP EXECUTE format('CREATE TABLE public.week_%s PARTITION OF public.events"
                            + " FOR VALUES FROM (%L) TO (%L)', w, date '2024-01-01' + 7 * w, date '2024-01-08' + 7 * w); END LOOP; END $$",
                    "CREATE TABLE public.metrics " + metrics,
                    "CREATE TABLE public.notes " + notes + " PARTITION BY HASH (id)",
                    "CREATE TABLE public.lines " + lines + " PARTITION BY HASH (a)",
                    "DO $$ BEGIN FOR r IN 0..2 LOOP"
                            + " EXECUTE format('CREATE TABLE public.notes_%s PARTITION OF public.notes FOR VALUES WITH (MODULUS 3, REMAINDER %s)', r, r);"
                            + " EXECUTE format('CREATE TABLE public.lines_%s PARTITION OF public.lines FOR VALUES WITH (MODULUS 3, REMAINDER %s)', r, r);"
                            + " END LOOP; END $$");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    // Rows move into another partition on the source, or on the target only; large values stay
                    // unchanged.
                    "UPDATE public.events SET at = at + 31 WHERE at < '2024-01-29' AND id % 2 = 0",
                    "UPDATE public.events SET at = at + 7 WHERE at < '2024-01-20' AND id % 3 = 0",
                    "UPDATE public.events SET kind = 'seen' WHERE id % 5 = 0",
                    "DELETE FROM public.events WHERE id % 11 = 0",
                    "UPDATE public.events SET id = id + 100000 WHERE id % 13 = 0",
                    "CREATE TABLE public.events_2024_03 PARTITION OF public.events FOR VALUES FROM ('2024-03-01') TO ('2024-05-01')",
                    "INSERT INTO public.events SELECT i, date '2024-03-01' + i % 50 FROM generate_series(5001, 5300) AS i",
                    "UPDATE public.events SET at = '2024-02-10' WHERE id BETWEEN 5100 AND 5150",
                    "UPDATE public.metrics SET place = 'south', value = value + 0.50 WHERE place = 'east' AND value < 20",
                    "UPDATE public.metrics SET note = 'x' WHERE place = 'north' AND value = 4",
                    "DELETE FROM public.metrics WHERE value = 7",
                    "UPDATE public.notes SET id = id + 5000 WHERE id % 4 = 0",
                    "UPDATE public.notes SET body = NULL WHERE id % 9 = 0",
                    "DELETE FROM public.notes WHERE id % 10 = 0",
                    "UPDATE public.lines SET a = a + 1 WHERE b = 'l1'",
                    "DELETE FROM public.lines WHERE a = 3");
            await("the partition that is new")
                    .atMost(PATIENCE)
                    .until(() -> migration.number(target, "SELECT count(*) FROM public.events WHERE at >= '2024-03-01'")
                            == migration.number(source, "SELECT count(*) FROM public.events WHERE at >= '2024-03-01'"));
            migration.assertSourceEqualsTarget();
            migration.execute(
                    source,
                    "INSERT INTO public.metrics VALUES ('south', 1, 'lost by the next')",
                    "TRUNCATE public.metrics, public.lines",
                    "INSERT INTO public.metrics SELECT 'west', i, 'y' FROM generate_series(1, 100) AS i",
                    "UPDATE public.metrics SET place = 'north' WHERE value < 10",
                    "ALTER TABLE public.events ADD more int DEFAULT 5",
                    "UPDATE public.events SET more = 6 WHERE id % 3 = 0");
            cutOver(migration);
            assertThat(migration.number(target, "SELECT count(*) FROM ONLY public.metrics"))
                    .isEqualTo(100);
            assertThat(migration.number(target, "SELECT count(DISTINCT tableoid) FROM public.events"))
                    .isGreaterThan(10);
        }
    }

    @Test
    void rowsThatComeOrGoWithTheirPartitionStopTheTable() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "other-breaks")) {
            existing(migration, "tables: {whole: [\"public.*\"]}");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            for (String table : new String[] {"cleared", "left_out", "joined"}) {
                migration.execute(
                        source,
                        "CREATE TABLE public." + table + " (id int PRIMARY KEY) PARTITION BY RANGE (id)",
                        "CREATE TABLE public." + table + "_1 PARTITION OF public." + table
                                + " FOR VALUES FROM (0) TO (100)",
                        "CREATE TABLE public." + table + "_2 PARTITION OF public." + table
                                + " FOR VALUES FROM (100) TO (200)",
                        "INSERT INTO public." + table + " SELECT generate_series(50, 149)");
                migration.execute(target, "CREATE TABLE public." + table + " (id int PRIMARY KEY)");
            }
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    "TRUNCATE public.cleared_1",
                    "INSERT INTO public.cleared VALUES (1)",
                    "ALTER TABLE public.left_out DETACH PARTITION public.left_out_1",
                    "DROP TABLE public.left_out_1",
                    "CREATE TABLE public.joined_3 (id int PRIMARY KEY)",
                    "INSERT INTO public.joined_3 SELECT generate_series(200, 210)",
                    "ALTER TABLE public.joined ATTACH PARTITION public.joined_3 FOR VALUES FROM (200) TO (300)",
                    "INSERT INTO public.joined VALUES (250)");
            awaitError(migration, "public.cleared", "one of its partitions was truncated by itself");
            awaitError(migration, "public.left_out", "partition public.left_out_1 was detached or dropped");
            awaitError(migration, "public.joined", "partition public.joined_3 was attached");
            migration.coordinator().retry(Optional.empty());
            assertThat(migration.text(
                            target, "SELECT stopped_because FROM wherry.relation WHERE table_name = 'cleared'"))
                    .as("a retry does not clear what only a re-load fixes")
                    .contains("one of its partitions was truncated by itself");
            assertThatThrownBy(() -> migration.coordinator().retry(Optional.of("public.cleared")))
                    .hasMessageContaining("only a re-load fixes this table");
            for (String table : new String[] {"cleared", "left_out", "joined"}) {
                migration.coordinator().reload(Optional.of("public." + table));
            }
            await("re-loaded and in sync")
                    .atMost(PATIENCE)
                    .until(() -> migration.coordinator().status().state() == State.IN_SYNC
                            && migration.coordinator().status().tables().stream()
                                    .allMatch(status -> status.error() == null)
                            && migration.number(target, "SELECT count(*) FROM public.left_out") == 50);
            migration.execute(
                    source, "INSERT INTO public.joined VALUES (251)", "DELETE FROM public.cleared WHERE id = 1");
            cutOver(migration);
        }
    }

    @Tag("slow")
    @Test
    void partitionsThatComeWhileTheSourceConnectorIsAwayAreKnown() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "other-away")) {
            existing(migration, "tables: {whole: [\"public.rows\"]}");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.rows (place int, v int, note text) PARTITION BY LIST (place)",
                    "CREATE TABLE public.rows_1 PARTITION OF public.rows FOR VALUES IN (1)",
                    "CREATE TABLE public.rows_2 PARTITION OF public.rows FOR VALUES IN (2)",
                    "INSERT INTO public.rows SELECT 1 + i % 2, i % 40, NULL FROM generate_series(1, 400) AS i");
            migration.execute(
                    target,
                    "CREATE TABLE public.rows (place int, v int, note text) PARTITION BY RANGE (v)",
                    "CREATE TABLE public.low PARTITION OF public.rows FOR VALUES FROM (0) TO (20)",
                    "CREATE TABLE public.high PARTITION OF public.rows FOR VALUES FROM (20) TO (1000)");
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source");
            migration.awaitState(State.IN_SYNC);

            migration.execute(
                    source,
                    "CREATE TABLE public.rows_3 PARTITION OF public.rows FOR VALUES IN (3)",
                    "INSERT INTO public.rows SELECT 3, i % 30 FROM generate_series(1, 60) AS i",
                    "CREATE TABLE public.rows_4 (LIKE public.rows)",
                    "ALTER TABLE public.rows ATTACH PARTITION public.rows_4 FOR VALUES IN (4)");
            await("the new partitions are known")
                    .atMost(PATIENCE)
                    .until(() -> migration.log("source").contains("public.rows_4 is a new partition of public.rows"));
            migration.execute(
                    source,
                    "INSERT INTO public.rows SELECT 4, i % 30 FROM generate_series(1, 60) AS i",
                    "UPDATE public.rows SET v = v + 15, place = 5 - place WHERE v = 10 AND place IN (1, 4)",
                    "DELETE FROM public.rows WHERE v = 11 AND place > 2");

            migration.kill("source");
            migration.execute(
                    source,
                    "CREATE TABLE public.rows_5 PARTITION OF public.rows FOR VALUES IN (5)",
                    "INSERT INTO public.rows SELECT 5, i % 30 FROM generate_series(1, 60) AS i",
                    "INSERT INTO public.rows VALUES (4, 5000, 'nowhere')",
                    "UPDATE public.rows SET note = 'seen' WHERE place = 2 AND v = 3");
            migration.startProcess("source");
            awaitError(migration, "public.rows", "no partition of relation");
            migration.execute(
                    target, "CREATE TABLE public.highest PARTITION OF public.rows FOR VALUES FROM (1000) TO (9000)");
            migration.coordinator().retry(Optional.of("public.rows"));
            await("all rows")
                    .atMost(PATIENCE)
                    .until(() -> migration.number(target, "SELECT count(*) FROM public.rows")
                            == migration.number(source, "SELECT count(*) FROM public.rows"));

            migration.kill("source");
            migration.execute(
                    source,
                    "ALTER TABLE public.rows DETACH PARTITION public.rows_5",
                    "DELETE FROM public.rows_5 WHERE v = 1",
                    "ALTER TABLE public.rows ATTACH PARTITION public.rows_5 FOR VALUES IN (5)");
            migration.startProcess("source");
            awaitError(migration, "public.rows", "partition public.rows_5 was");
            migration.coordinator().reload(Optional.of("public.rows"));
            cutOver(migration);
        }
    }

    /** The cutover is refused until the last changes have arrived and the catalogs were compared again. */
    private static void cutOver(MigrationFixture migration) throws Exception {
        await("cutover")
                .atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(500))
                .until(() -> migration.cutOver().outcome() == Outcome.COMPLETED);
        migration.assertSourceEqualsTarget();
    }

    private static void existing(MigrationFixture migration, String more) throws Exception {
        Path file = migration.file(more);
        Files.writeString(file, Files.readString(file).replace("target: {", "target: {schema: existing, "));
    }

    private static void awaitError(MigrationFixture migration, String table, String text) {
        await(table + ": " + text).atMost(PATIENCE).until(() -> String.valueOf(error(migration, table))
                .contains(text));
    }

    private static String error(MigrationFixture migration, String table) {
        return migration.coordinator().status().tables().stream()
                .filter(status -> status.table().equals(table))
                .map(TableStatus::error)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }
}
