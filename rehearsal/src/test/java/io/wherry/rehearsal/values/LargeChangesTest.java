package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.LatencyProbe;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.net.URI;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Large values as changes, through a broker that accepts records of 1 MiB, within the heap that docs/operations.md requires. */
@EveryThirdDay(1)
class LargeChangesTest {
    private static final Logger LOG = LoggerFactory.getLogger(LargeChangesTest.class);

    /** Text of that number of bytes, which does not compress. */
    private static final String HEX = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, %d / 32) i)";
    /** Text that compresses to almost nothing: a fetch could bring gigabytes of it. */
    private static final String WORDS = "repeat('wherry ', %d / 7)";

    /** Small changes at the start of each run: in a real migration, the processes have run for a while. */
    private static final int CHANGES_BEFORE = Integer.getInteger("wherry.changes", 300);

    private static final String DIGESTS = "SELECT string_agg(concat_ws(',', id, n, md5(t), md5(b), md5(x::text),"
            + " md5(j::text)), ' ' ORDER BY id) FROM public.%s";

    @Test
    void fortyMegabytes() throws Exception {
        migrate("large40", 40);
    }

    /**
     * Interleaved with the peer that also delivers transactions in the slot's order; prints the ratio of the longest latencies.
     */
    @Tag("slow")
    @Tag("embedded-only")
    @Test
    void besideNativeReplication() throws Exception {
        int megabytes = Integer.getInteger("wherry.megabytes", 40);
        for (int run = 1; run <= 3; run++) {
            long peer = replicateNatively("native" + run, megabytes);
            long ours = migrate("beside" + run, megabytes);
            LOG.info(
                    "run {}: longest latency of another table {} ms, by native replication {} ms: ratio {}",
                    run,
                    ours,
                    peer,
                    String.format(Locale.ROOT, "%.1f", (double) ours / Math.max(1, peer)));
        }
    }

    @Tag("slow")
    @Test
    void twoHundredMegabytes() throws Exception {
        migrate("large200", 200);
    }

    @Tag("slow")
    @Test
    void sizeFromTheCommandLine() throws Exception {
        migrate("large", Integer.getInteger("wherry.megabytes", 1));
    }

    /**
     * A bytea whose hexadecimal text has more than 1 GiB: if Wherry did not report it, the slot would silently keep the
     * write-ahead log forever.
     */
    @Tag("slow")
    @Test
    void whatTheServerCannotSendIsReportedAndTheRemedyHelps() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("unsendable", 15, 15)) {
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.one (id int PRIMARY KEY, b bytea)",
                    "CREATE TABLE public.two (id int PRIMARY KEY)");
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source");
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    migration.migration().source(),
                    "INSERT INTO public.one SELECT 1, convert_to(repeat('x', 550000000), 'UTF8')",
                    "INSERT INTO public.two VALUES (1)");
            await("reported")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration
                                    .coordinator()
                                    .status()
                                    .waitsFor()
                                    .contains("public.one column b: the server cannot send one of the changes")
                            && migration.coordinator().status().nextSteps().contains("wherry reload --all"));
            assertThat(migration.cutOver()).extracting(CutoverResult::outcome).isEqualTo(CutoverResult.Outcome.REFUSED);

            migration.execute(
                    migration.migration().source(), "UPDATE public.one SET b = pg_catalog.substr(b, 1, 1000000)");
            assertThat(migration.coordinator().reload(Optional.empty())).hasSize(2);
            await("loading again")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().nextSteps().stream()
                            .noneMatch(step -> step.contains("reload")));
            migration.awaitState(State.IN_SYNC);
            migration.completeExactly();
        }
    }

    /** @return the longest latency of another table, ms */
    private static long replicateNatively(String name, int megabytes) throws Exception {
        try (MigrationFixture migration = new MigrationFixture(name, 15, 15)) {
            Endpoint source = migration.migration().source();
            makeTables(migration, source);
            makeTables(migration, migration.migration().target());
            URI address = URI.create(source.address().substring("jdbc:".length()));
            migration.execute(source, "CREATE PUBLICATION everything FOR ALL TABLES");
            migration.execute(
                    migration.migration().target(),
                    "CREATE SUBSCRIPTION everything CONNECTION 'host=127.0.0.1 port=" + address.getPort() + " dbname="
                            + address.getPath().substring(1) + " user=" + source.user() + " password="
                            + source.password() + "' PUBLICATION everything WITH (copy_data = false)");
            return change(migration, megabytes);
        }
    }

    private static void makeTables(MigrationFixture migration, Endpoint endpoint) throws SQLException {
        for (String table : List.of("one", "two")) {
            migration.execute(
                    endpoint,
                    "CREATE TABLE public." + table + " (id int PRIMARY KEY, n int, t text, b bytea, x xml, j jsonb)");
        }
        migration.execute(endpoint, LatencyProbe.TABLE);
    }

    /**
     * Changes rows, waits until the changes have arrived and compares.
     *
     * @return the longest latency of another table in the meantime, ms
     */
    private static long change(MigrationFixture migration, int megabytes) throws SQLException {
        long longest;
        try (LatencyProbe probe = new LatencyProbe(migration.migration(), 1)) {
            await("changes before").atMost(MigrationFixture.PATIENCE).until(() -> probe.changes() >= CHANGES_BEFORE);
            LOG.info("no large values: {}", probe);
        }
        try (LatencyProbe probe = new LatencyProbe(migration.migration(), 1_000_000)) {
            write(migration, megabytes * 1_000_000);
            await("changes applied").atMost(MigrationFixture.PATIENCE).until(() -> arrived(migration));
            LOG.info("{} MB values: {}", megabytes, probe);
            longest = probe.longest();
        }
        for (String table : List.of("one", "two")) {
            String digests = DIGESTS.formatted(table);
            assertThat(migration.text(migration.migration().target(), digests))
                    .isEqualTo(migration.text(migration.migration().source(), digests));
        }
        return longest;
    }

    /** @return the longest latency of another table, ms */
    private static long migrate(String name, int megabytes) throws Exception {
        try (MigrationFixture migration = new MigrationFixture(name, 15, 15)) {
            makeTables(migration, migration.migration().source());
            migration.startCoordinator();
            migration.startProcess("source", Integer.getInteger("wherry.source", 256 + 3 * megabytes));
            migration.startProcess("sink", Integer.getInteger("wherry.sink", 256 + 9 * megabytes));
            migration.awaitSlot();
            migration.awaitState(State.IN_SYNC);
            long longest = change(migration, megabytes);
            assertThat(migration.cutOver())
                    .extracting(CutoverResult::outcome)
                    .isEqualTo(CutoverResult.Outcome.COMPLETED);
            return longest;
        }
    }

    private static boolean arrived(MigrationFixture migration) {
        return migration.numberFromTarget("SELECT count(*) FROM public.one WHERE id < 0") == 5
                && migration.numberFromTarget("SELECT count(*) FROM public.two WHERE id < 0") == 2;
    }

    private static void write(MigrationFixture migration, int bytes) throws SQLException {
        String hex = HEX.formatted(bytes);
        String words = WORDS.formatted(bytes);
        List<String> statements = new ArrayList<>();
        // One wide character makes the string twice as long in a JVM.
        statements.add("INSERT INTO public.one (id, t) SELECT 1, '€' || " + hex);
        // The same number of bytes on the wire, where bytea is hexadecimal.
        statements.add("INSERT INTO public.one (id, b) SELECT 2, decode(" + hex + ", 'hex')");
        statements.add("INSERT INTO public.one (id, x) SELECT 3, ('<a>' || " + words + " || '</a>')::xml");
        statements.add("INSERT INTO public.one (id, j) SELECT 4, jsonb_build_object('a', " + words + ")");
        // Two tables at the same time.
        statements.add("BEGIN");
        statements.add("INSERT INTO public.one (id, t) SELECT 5, " + words);
        statements.add("INSERT INTO public.two (id, t) SELECT 1, " + words);
        statements.add("UPDATE public.one SET t = upper(t) WHERE id = 5");
        statements.add("INSERT INTO public.two (id, t) SELECT 2, upper(" + words + ")");
        statements.add("COMMIT");
        statements.add("UPDATE public.one SET n = 1");
        statements.add("UPDATE public.one SET id = -id");
        statements.add("UPDATE public.two SET id = -id");
        migration.execute(migration.migration().source(), statements.toArray(String[]::new));
    }
}
