package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.servers.TestServers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Rebuilds at size. {@code -Dwherry.changes=N} sets the number of changed rows, {@code -Dwherry.megabytes=N} the size of a value, and
 * {@code -Dwherry.seed=N} repeats changes, moments and kills.
 */
@Tag("slow")
class RebuildAtSizeTest {
    private static final int VERSION = 15;
    private static final int SNAPSHOTS = 3;
    private static final int KILLS = 10;
    private static final String LAST = "INSERT INTO public.language (name) VALUES ('the last')";
    private static final String DIGESTS =
            "SELECT string_agg(concat_ws(' ', id, octet_length(t), md5(t), md5(b)), ', ' ORDER BY id) FROM public.large";

    /** Both servers come back only for the comparisons. */
    @Tag("embedded-only")
    @Test
    void pagilaIsMadeWhileBothServersAreStoppedAndThoughKilledTenTimes() throws Exception {
        long seed = Long.getLong("wherry.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        int changes = Integer.getInteger("wherry.changes", 100_000);
        Path scripts = Path.of(getClass().getResource("/databases/pagila").toURI());
        try (MigrationFixture migration = MigrationFixture.alone("pagila", VERSION, VERSION);
                TestServers third = TestServers.open()) {
            PostgresServer server = third.postgres("third", VERSION, Map.of());
            RehearsalDatabase.createRoles(server);
            migration.file("");
            migration.psql(scripts.resolve("dump.sql"));
            migration.startAll();
            migration.awaitSlot();
            migration.psql(scripts.resolve("changes.sql"));
            migration.awaitState(State.IN_SYNC);
            List<SourceSnapshot> snapshots = change(migration, changes, random);
            migration.execute(migration.migration().source(), LAST);
            await("the last change")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() ->
                            migration.numberFromTarget("SELECT count(*) FROM public.language WHERE name = 'the last'")
                                    == 1);
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            long all = migration.number(migration.migration().target(), RebuiltDatabase.APPLIED);
            migration.stopServices();
            EmbeddedPostgres source = (EmbeddedPostgres) migration.source();
            EmbeddedPostgres target = (EmbeddedPostgres) migration.target();
            source.stop();
            target.stop();

            for (SourceSnapshot snapshot : snapshots) {
                RebuiltDatabase then = new RebuiltDatabase(migration, server, "then_" + snapshots.indexOf(snapshot));
                then.assertDone(then.rebuild("--until", snapshot.until().toString()));
                snapshot.assertEqual(migration.migration(), then.endpoint());
            }
            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, server, "pagila_rebuilt");
            rebuilt.killAtRandom(KILLS, all, random);
            assertThat(rebuilt.rebuild())
                    .as("seed " + seed + ": " + rebuilt.said())
                    .isZero();

            target.restart();
            rebuilt.assertVerified();
            rebuilt.assertRowsEqualTarget();
            source.restart();
            rebuilt.assertEqualsSourceOfItsVersion();
        }
    }

    /** Writes on a thread of its own; returns what the source held at moments in between. */
    private static List<SourceSnapshot> change(MigrationFixture migration, int changes, SplittableRandom random)
            throws Exception {
        int[] moments = random.ints(SNAPSHOTS, 0, changes).sorted().toArray();
        PagilaWrites writes = new PagilaWrites(migration, random.split());
        CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> writes.write(changes));
        List<SourceSnapshot> snapshots = new ArrayList<>();
        for (int moment : moments) {
            await("changes")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> writing.isDone() || writes.written() >= moment);
            snapshots.add(SourceSnapshot.ofSlot(migration.migration(), "then_" + snapshots.size()));
        }
        writing.join();
        return snapshots;
    }

    @Test
    void aValueOfTwoHundredMegabytesInTheLoadAndAnotherInTheChanges() throws Exception {
        int bytes = Integer.getInteger("wherry.megabytes", 200) * 1_000_000;
        String text = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, " + bytes / 32 + ") i)";
        try (MigrationFixture migration = new MigrationFixture("rebuild-large", VERSION, VERSION)) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.large (id int PRIMARY KEY, n int, t text, b bytea)",
                    "INSERT INTO public.large VALUES (1, 1, " + text + ", NULL)",
                    "INSERT INTO public.large VALUES (2, 1, 'small', NULL)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    "INSERT INTO public.large SELECT 3, 1, 'bytes', decode(t, 'hex') FROM public.large WHERE id = 1",
                    "UPDATE public.large SET t = " + text + " WHERE id = 2",
                    "UPDATE public.large SET n = 2");
            await("the changes")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.large WHERE n = 2") == 3);
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();

            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "rebuild_large");
            migration.startCommand("rebuild", Optional.empty(), rebuilt.arguments());
            assertThat(migration.awaitEnd("rebuild"))
                    .as(() -> migration.log("rebuild"))
                    .isZero();

            assertThat(migration.text(rebuilt.endpoint(), DIGESTS)).isEqualTo(migration.text(source, DIGESTS));
        }
    }
}
