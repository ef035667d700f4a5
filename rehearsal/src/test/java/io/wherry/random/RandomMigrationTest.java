package io.wherry.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ExactText;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import io.wherry.rehearsal.servers.TestExtension;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Schemas, rows and transactions that no developer thought of, generated from seeds of the clock: before, during and after the
 * load. {@code -Dwherry.seeds=200} sets the number of seeds, {@code -Dwherry.seed=N} the first seed.
 */
class RandomMigrationTest {
    private static final int BEFORE = 150;
    private static final int AT_START = 100;
    private static final int DURING = 100;
    private static final int AFTER = 100;

    private static final String NOT_VALID = """
            SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
              FROM pg_constraint
             WHERE contype = 'f' AND NOT convalidated
            """;

    private static final String MAY_BE_PARTITIONED = """
            SELECT n.nspname, c.relname
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indimmediate
             WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
               AND NOT EXISTS (SELECT FROM pg_index o WHERE o.indrelid = c.oid AND o.indexrelid <> p.indexrelid
                                  AND (o.indisunique OR o.indisexclusion))
               AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                                JOIN pg_namespace s ON s.oid = t.typnamespace
                                WHERE a.attrelid = c.oid AND a.attnum = ANY (p.indkey)
                                  AND NOT (s.nspname = 'pg_catalog' AND t.typname = ANY (?)))
             ORDER BY 1, 2
            """;

    private static final String COLUMNS = """
            SELECT string_agg(concat_ws('.', attrelid::regclass, attname), E'\n' ORDER BY attrelid::regclass::text, attname)
              FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
             WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
               AND nspname NOT IN ('wherry', 'pg_catalog', 'information_schema')
               AND NOT EXISTS (SELECT FROM pg_depend d
                                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            """;
    private static final String SEQUENCES = """
            SELECT string_agg(concat_ws(' ', oid::regclass, (xpath('//text()', query_to_xml(
                       format('SELECT last_value, is_called FROM %s', oid::regclass), false, true, '')))::text),
                       E'\n' ORDER BY oid::regclass::text) FROM pg_class
             WHERE relkind = 'S' AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname = 'wherry')
            """;
    private static final String LARGE_OBJECTS =
            "SELECT string_agg(oid || ' ' || md5(lo_get(oid)), ' ' ORDER BY oid) FROM pg_largeobject_metadata";

    private static ServerPair servers;

    @BeforeAll
    static void start() {
        servers = ServerPair.shared();
    }

    static LongStream seeds() {
        long first = Long.getLong("wherry.seed", System.currentTimeMillis());
        return LongStream.range(first, first + Integer.getInteger("wherry.seeds", 1));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void arrivesExactly(long seed) throws Exception {
        String name = "random-" + seed;
        try {
            migrate(seed, name);
        } catch (Throwable e) {
            throw new AssertionError("seed " + seed + "; again: " + command(seed), e);
        }
    }

    private static String command(long seed) {
        return "mvn verify -pl rehearsal -am -Dtest=RandomMigrationTest -Dsurefire.failIfNoSpecifiedTests=false"
                + " -Dwherry.seed="
                + seed + " -Dwherry.source=" + servers.source().major() + " -Dwherry.target="
                + servers.target().major();
    }

    private static void migrate(long seed, String name) throws Exception {
        RandomSchema schema = new RandomSchema(seed, servers.source().major());
        RandomHistory history = new RandomHistory(schema, seed, true);
        try (MigrationFixture migration = MigrationFixture.between(servers, name)) {
            RandomRebuild rebuild = new RandomRebuild(migration, seed);
            migration.execute(
                    migration.migration().source(), schema.statements().toArray(String[]::new));
            partition(migration, seed, schema.renamed());
            try (HistoryRunner runner = new HistoryRunner(
                    servers.source().jdbcUrl(name), RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD)) {
                schema.objects().forEach(sql -> run(runner, new HistoryStep(0, sql, "")));
                run(runner, new HistoryStep(0, "CREATE EXTENSION " + TestExtension.NAME + " SCHEMA public", ""));
                run(runner, history, BEFORE);
                // On its own thread: the start waits for open transactions, and these must not wait for the start.
                CompletableFuture<Void> writing =
                        CompletableFuture.runAsync(() -> runAndEnd(runner, history, AT_START));
                migration.startAll();
                writing.join();
                migration.awaitSlot();
                history.another().forEach(step -> run(runner, step));
                runAndEnd(runner, history, DURING);
                migration.awaitState(State.IN_SYNC);
                runAndEnd(runner, history, AFTER);
                history.beside().forEach(step -> run(runner, step));
                history.another().forEach(step -> run(runner, step));
                awaitColumns(migration);
                run(runner, history.widen());
                // A TRUNCATE right after it would hide how the rows got the column (docs/limits.md).
                awaitColumns(migration);
                runAndEnd(runner, history, AFTER);
                history.beside().forEach(step -> run(runner, step));
                run(runner, history.rename());
                runAndEnd(runner, history, AFTER);
                assertThat(runner.accepted()).isGreaterThan(runner.refused());
                if (seed % 2 == 0) {
                    awaitDdl(migration);
                    rebuild.ofMoment(steps(runner, history), AFTER);
                }
            }
            awaitDdl(migration);
            awaitProof(migration);
            // The state may be older than the last statements; a cutover that is refused has changed nothing.
            CutoverResult result = await("gate met")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(migration::cutOver, r -> r.outcome() != Outcome.REFUSED);
            assertThat(result.outcome()).as(result.toString()).isEqualTo(Outcome.COMPLETED);
            migration.assertSourceEqualsTarget();
            migration.awaitForeignKeys();
            expectContradictedForeignKeys(migration);
            migration.assertSchemasAreEqual();
            for (String beside : List.of(SEQUENCES, LARGE_OBJECTS)) {
                assertThat(migration.text(migration.migration().target(), beside))
                        .isEqualTo(migration.text(migration.migration().source(), beside));
            }
            rebuild.ofTarget(SEQUENCES, LARGE_OBJECTS);
        }
    }

    private static RandomRebuild.Steps steps(HistoryRunner runner, RandomHistory history) {
        return new RandomRebuild.Steps() {
            @Override
            public void one() {
                run(runner, history.next());
            }

            @Override
            public void many() {
                runAndEnd(runner, history, AFTER);
                run(runner, history.widen());
                runAndEnd(runner, history, AFTER);
            }
        };
    }

    /** If a table is replaced while pg_dump reads it, pg_dump fails. */
    private static void awaitDdl(MigrationFixture migration) {
        await("all DDL is followed")
                .atMost(MigrationFixture.PATIENCE)
                .ignoreException(DataException.class)
                .untilAsserted(() ->
                        assertThat(migration.compareSchemas().notFollowed()).isEmpty());
    }

    /**
     * A foreign key that rows contradict stays NOT VALID on the target, and no other key does: the source refuses to validate
     * each of these keys too. After that, the source's keys are set as on the target.
     */
    private static void expectContradictedForeignKeys(MigrationFixture migration) throws SQLException {
        try (Connection target = Sessions.open(
                        migration.migration(), migration.migration().target(), "test");
                Connection source = Sessions.open(
                        migration.migration(), migration.migration().source(), "test");
                Statement keys = target.createStatement();
                Statement statement = source.createStatement();
                ResultSet row = keys.executeQuery(NOT_VALID)) {
            while (row.next()) {
                String alter = "ALTER TABLE " + row.getString(1);
                statement.execute(alter + " DROP CONSTRAINT " + row.getString(2));
                statement.execute(alter + " ADD CONSTRAINT " + row.getString(2) + ' ' + row.getString(3));
                assertThatThrownBy(() -> statement.execute(alter + " VALIDATE CONSTRAINT " + row.getString(2)))
                        .hasMessageContaining("violates foreign key constraint");
            }
        }
    }

    /** Nothing changes any more, so every table is proven, and no difference stands; the comparison of the data comes later. */
    private static void awaitProof(MigrationFixture migration) {
        await("the proof").atMost(MigrationFixture.PATIENCE).untilAsserted(() -> {
            ProofView proof = migration.coordinator().status().proof();
            assertThat(proof.differences()).isEmpty();
            assertThat(proof.proven()).as(proof.toString()).isPositive().isEqualTo(proof.tables());
        });
    }

    private static void awaitColumns(MigrationFixture migration) {
        await("columns").atMost(MigrationFixture.PATIENCE).until(() -> migration
                .text(migration.migration().target(), COLUMNS)
                .equals(migration.text(migration.migration().source(), COLUMNS)));
    }

    /**
     * Half of the tables that can have several change partitions get several; not those whose names other tables take, perhaps
     * without a key.
     */
    private static void partition(MigrationFixture migration, long seed, List<String> renamed) throws SQLException {
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, Integer> partitions = new TreeMap<>();
        try (Connection source = Sessions.open(
                        migration.migration(), migration.migration().source(), "test");
                PreparedStatement statement = source.prepareStatement(MAY_BE_PARTITIONED)) {
            statement.setArray(1, source.createArrayOf("text", ExactText.TYPES.toArray()));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    TableId table = new TableId(row.getString(1), row.getString(2));
                    if (random.nextBoolean() && !renamed.contains(table.quoted())) {
                        partitions.put(table.toString(), random.nextInt(2, 5));
                    }
                }
            }
        }
        String more = new String(Json.write(partitions), StandardCharsets.UTF_8);
        migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: " + more + "}");
    }

    private static void run(HistoryRunner runner, RandomHistory history, int steps) {
        for (int i = 0; i < steps; i++) {
            run(runner, history.next());
        }
    }

    private static void runAndEnd(HistoryRunner runner, RandomHistory history, int steps) {
        run(runner, history, steps);
        history.rest().forEach(step -> run(runner, step));
    }

    private static void run(HistoryRunner runner, HistoryStep step) {
        try {
            runner.run(step);
        } catch (SQLException e) {
            throw new IllegalStateException(step.toString(), e);
        }
    }
}
