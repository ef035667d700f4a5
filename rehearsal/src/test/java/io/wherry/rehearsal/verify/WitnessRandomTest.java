package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.witness.Counts;
import io.wherry.coordinator.witness.Witness;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the witness names, against triggers that write down every change in the same transaction. */
final class WitnessRandomTest {
    private static final int SESSIONS = 3;
    private static final int TRANSACTIONS = 150;
    private static final long SEED = Long.getLong("wherry.seed", System.nanoTime());

    private static final String[] TABLES = {
        "CREATE TABLE log (tab text, kind text, key text)",
        "CREATE TABLE single (id int PRIMARY KEY, v text)",
        "CREATE TABLE several (v text, f float8, t text, n int, PRIMARY KEY (t, f))",
        "CREATE TABLE total (t text PRIMARY KEY, v text); ALTER TABLE total REPLICA IDENTITY FULL",
        """
        CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE before text; after text;
        BEGIN
          IF TG_LEVEL = 'STATEMENT' THEN
            INSERT INTO log VALUES (TG_TABLE_NAME, TG_OP, '*');
            RETURN NULL;
          END IF;
          IF TG_OP <> 'INSERT' THEN EXECUTE 'SELECT concat_ws('', '', ' || TG_ARGV[0] || ')' INTO before USING OLD; END IF;
          IF TG_OP <> 'DELETE' THEN EXECUTE 'SELECT concat_ws('', '', ' || TG_ARGV[0] || ')' INTO after USING NEW; END IF;
          INSERT INTO log VALUES (TG_TABLE_NAME, TG_OP, '[' || coalesce(before, after) || ']');
          IF before <> after THEN INSERT INTO log VALUES (TG_TABLE_NAME, 'KEY', '[' || after || ']'); END IF;
          RETURN NULL;
        END $$
        """
    };

    @ParameterizedTest
    @ValueSource(ints = {11, 15})
    void everyChangeThatATriggerSawIsNamedAndNoOther(int version) throws Exception {
        ExecutorService applications = Executors.newFixedThreadPool(SESSIONS);
        try (WitnessedSource source = new WitnessedSource(version, TABLES)) {
            for (String table : List.of("single $1.id", "several $1.t, $1.f", "total $1.t")) {
                String name = table.substring(0, table.indexOf(' '));
                source.run(
                        "CREATE TRIGGER r AFTER INSERT OR UPDATE OR DELETE ON " + name
                                + " FOR EACH ROW EXECUTE PROCEDURE write_down('"
                                + table.substring(name.length() + 1) + "')",
                        "CREATE TRIGGER s AFTER TRUNCATE ON " + name
                                + " FOR EACH STATEMENT EXECUTE PROCEDURE write_down()");
            }
            source.publish("single, several, total");
            Witness witness = source.start();
            List<Future<Void>> running = new ArrayList<>();
            for (int i = 0; i < SESSIONS; i++) {
                Random random = new Random(SEED + i);
                Callable<Void> application = () -> {
                    try (Connection session = source.open()) {
                        Queries.execute(session, "SET deadlock_timeout = '10ms'");
                        for (int n = 0; n < TRANSACTIONS; n++) {
                            transaction(session, random);
                        }
                    }
                    return null;
                };
                running.add(applications.submit(application));
            }
            for (Future<Void> one : running) {
                one.get();
            }
            source.catchUp(witness);
            String seed = "-Dwherry.seed=" + SEED;
            List<String> named = source.texts();
            assertThat(named.stream().filter(text -> !text.endsWith("*")))
                    .as(seed)
                    .hasSizeGreaterThan(TRANSACTIONS)
                    .containsExactlyInAnyOrderElementsOf(
                            Queries.strings(source.session, "SELECT tab || key FROM log WHERE key <> '*'"));
            assertThat(Set.copyOf(
                            named.stream().filter(text -> text.endsWith("*")).toList()))
                    .as(seed)
                    .isEqualTo(Set.copyOf(
                            Queries.strings(source.session, "SELECT DISTINCT tab || key FROM log WHERE key = '*'")));
            for (String table : List.of("single", "several", "total")) {
                assertThat(witness.counts().get(new TableId("public", table)))
                        .as(seed)
                        .isEqualTo(new Counts(
                                written(source, table, "INSERT"),
                                written(source, table, "UPDATE"),
                                written(source, table, "DELETE"),
                                written(source, table, "TRUNCATE")));
            }
        } finally {
            applications.shutdownNow();
        }
    }

    private static long written(WitnessedSource source, String table, String kind) throws SQLException {
        return Queries.number(source.session, "SELECT count(*) FROM log WHERE tab = ? AND kind = ?", table, kind);
    }

    /** Some statements, of which some fail, with savepoints; a part of the transactions is rolled back. */
    private static void transaction(Connection session, Random random) throws SQLException {
        Queries.execute(session, "BEGIN");
        int statements = 1 + random.nextInt(6);
        for (int i = 0; i < statements; i++) {
            Queries.execute(session, "SAVEPOINT s");
            try {
                Queries.execute(session, statement(random));
                Queries.execute(session, random.nextInt(6) == 0 ? "ROLLBACK TO s" : "RELEASE s");
            } catch (SQLException e) {
                // A deadlock or a key that exists.
                Queries.execute(session, "ROLLBACK TO s");
            }
        }
        Queries.execute(session, random.nextInt(5) == 0 ? "ROLLBACK" : "COMMIT");
    }

    private static String statement(Random random) {
        int a = random.nextInt(40);
        int b = random.nextInt(40);
        return switch (random.nextInt(40)) {
            case 0 -> "TRUNCATE single, total";
            case 1 -> "TRUNCATE several";
            case 2, 3 -> "DELETE FROM single WHERE id % 7 = " + a % 7;
            case 4, 5 -> "DELETE FROM several WHERE n = " + a;
            case 6, 7 -> "DELETE FROM total WHERE t = 'k " + a + "'";
            case 8, 9 -> "UPDATE single SET id = " + b + " WHERE id = " + a;
            case 10, 11 -> "UPDATE several SET f = f / 3 WHERE n = " + a;
            case 12, 13 -> "UPDATE total SET t = 'k " + b + "' WHERE t = 'k " + a + "'";
            case 14, 15 -> "UPDATE single SET v = v || 'x' WHERE id BETWEEN 10 AND " + a;
            case 16, 17 -> "UPDATE several SET v = 'y', t = t WHERE n < " + a;
            case 18, 19 -> "UPDATE total SET v = repeat('z', 3000) WHERE t < 'k " + a + "'";
            case 20, 21, 22 ->
                "INSERT INTO several SELECT 'v', i / 7.0, 'é, ' || i, i FROM generate_series(" + a + ", 39) i"
                        + " ON CONFLICT DO NOTHING";
            case 23, 24, 25 ->
                "INSERT INTO total VALUES ('k " + a + "', repeat('w', 4000))"
                        + " ON CONFLICT (t) DO UPDATE SET v = 'again'";
            default -> "INSERT INTO single VALUES (" + a + ", 'v')";
        };
    }
}
