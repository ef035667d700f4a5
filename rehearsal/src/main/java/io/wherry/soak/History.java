package io.wherry.soak;

import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.random.HistoryRunner;
import io.wherry.random.HistoryStep;
import io.wherry.random.RandomHistory;
import io.wherry.random.RandomSchema;
import java.io.IOException;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.postgresql.PGConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A seeded random history: several sessions with short and long transactions between one another, over connections that log
 * in again when theirs breaks. What fails is rolled back: only what the source holds in the end counts.
 */
final class History implements AutoCloseable {
    private static final int SESSIONS = 4;
    private static final Logger LOG = LoggerFactory.getLogger(History.class);
    private static final long RECONNECT_MILLIS = 100;
    private static final long STEP_MILLIS = 40;
    // What counts is what lies between one another, not how much: the servers share their cores with the services.
    private static final int PAUSE_MILLIS = 250;
    private static final int STEPS = 10;
    // A slot is made anew when a table was truncated meanwhile: it must come to an end.
    private static final int RARELY = 30;
    // As an application must where the constraint cannot be deferred.
    private static final String SWAP_CODES = """
            DO $$ DECLARE a int; b int; BEGIN
              SELECT code INTO a FROM public.account WHERE id = %1$d FOR UPDATE;
              SELECT code INTO b FROM public.account WHERE id = %2$d FOR UPDATE;
              IF a <> b THEN
                UPDATE public.account SET code = -1000000 - a WHERE id = %1$d;
                UPDATE public.account SET code = a WHERE id = %2$d;
                UPDATE public.account SET code = b WHERE id = %1$d;
              END IF;
            END $$
            """;

    private static final String SWAP_KEYS = """
            UPDATE public.hot SET id = -%1$d WHERE id = %1$d;
            UPDATE public.hot SET id = %1$d WHERE id = %2$d;
            UPDATE public.hot SET id = %2$d WHERE id = -%1$d
            """;
    private static final String REFILL =
            "INSERT INTO public.hot SELECT i, 0, repeat('x', 200) FROM generate_series(1, 2000) i ON CONFLICT DO NOTHING";

    private final EmbeddedPostgres source;
    private final String database;
    private final RandomHistory randomTables;
    private final List<Thread> threads = new ArrayList<>();
    private final boolean leavePrepared;
    private final AtomicInteger committed = new AtomicInteger();
    private volatile boolean finishing;

    /**
     * Begins to write.
     *
     * @param schema random tables, beside those of our own, for a history of its own
     * @param leavePrepared leave some prepared transactions to {@link #finish}; a slot is not made before they end
     * @param transactions that each session tries at least, before {@link #finish} ends it
     */
    History(
            EmbeddedPostgres source,
            String database,
            RandomSchema schema,
            long seed,
            boolean leavePrepared,
            int transactions) {
        this.source = source;
        this.database = database;
        this.leavePrepared = leavePrepared;
        randomTables = new RandomHistory(schema, seed, leavePrepared);
        for (int i = 0; i < SESSIONS; i++) {
            RandomGenerator own = new Random(seed * SESSIONS + i);
            threads.add(new Thread(() -> write(own, transactions), "soak-session-" + i));
        }
        threads.add(new Thread(() -> writeRandomTables(transactions), "soak-random-tables"));
        threads.forEach(Thread::start);
    }

    /**
     * Has the sessions come to their end, and ends the prepared transactions that are left.
     *
     * @return transactions committed
     */
    int finish() throws InterruptedException, SQLException {
        finishing = true;
        for (Thread thread : threads) {
            thread.join();
        }
        try (Connection session = SoakServers.open(source, database);
                Statement statement = session.createStatement()) {
            for (String id : prepared(statement)) {
                statement.execute((id.hashCode() % 3 == 0 ? "ROLLBACK" : "COMMIT") + " PREPARED '" + id + "'");
            }
        }
        return committed.get();
    }

    /** Has the sessions end soon, whatever they have written. */
    @Override
    public void close() {
        finishing = true;
    }

    private static List<String> prepared(Statement statement) throws SQLException {
        List<String> ids = new ArrayList<>();
        try (ResultSet row = statement.executeQuery(
                "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY gid")) {
            while (row.next()) {
                ids.add(row.getString(1));
            }
        }
        return ids;
    }

    /** One statement after another, of sessions in turns: what the server refuses, it refuses. */
    private void writeRandomTables(int transactions) {
        try (HistoryRunner runner =
                new HistoryRunner(source.jdbcUrl(database), source.superuser(), source.password())) {
            for (int step = 0; step < STEPS * transactions || !finishing; step++) {
                if (!attempt(runner, randomTables.next()) || !sleep(STEP_MILLIS)) {
                    return;
                }
            }
            for (HistoryStep step : randomTables.rest()) {
                attempt(runner, step);
            }
        } catch (SQLException e) {
            LOG.debug("a session was lost before it was closed", e);
        }
    }

    /** @return false when interrupted */
    private static boolean attempt(HistoryRunner runner, HistoryStep step) {
        try {
            runner.run(step);
            return true;
        } catch (SQLException e) {
            // The source is struck: the next step of this session logs in again.
            return sleep(RECONNECT_MILLIS);
        }
    }

    private void write(RandomGenerator random, int transactions) {
        int left = transactions;
        while (left > 0 || !finishing) {
            try (Connection session = SoakServers.open(source, database)) {
                session.setAutoCommit(false);
                try (Statement statement = session.createStatement()) {
                    // Short: a prepared transaction of another session may hold a row until the end.
                    statement.execute("SET lock_timeout = '300ms'");
                    session.commit();
                    while (left > 0 || !finishing) {
                        left--;
                        transaction(session, statement, random);
                    }
                }
            } catch (SQLException e) {
                // The source or the connection is struck: log in again.
                left--;
                if (!sleep(RECONNECT_MILLIS)) {
                    return;
                }
            }
        }
    }

    private void transaction(Connection session, Statement statement, RandomGenerator random) throws SQLException {
        boolean isLong = random.nextInt(5) == 0;
        int steps = isLong ? random.nextInt(8, 30) : random.nextInt(1, 5);
        try {
            for (int i = 0; i < steps; i++) {
                step(session, statement, random);
                if (isLong && !sleep(random.nextInt(40))) {
                    return;
                }
            }
            end(session, statement, random);
        } catch (SQLException e) {
            session.rollback();
        }
        sleep(random.nextInt(PAUSE_MILLIS));
    }

    private void end(Connection session, Statement statement, RandomGenerator random) throws SQLException {
        int how = random.nextInt(20);
        if (how < 3) {
            session.rollback();
        } else if (how < 5) {
            String id = "p" + Long.toHexString(random.nextLong());
            statement.execute("PREPARE TRANSACTION '" + id + "'");
            session.commit();
            if (!leavePrepared || random.nextInt(3) > 0) {
                session.setAutoCommit(true);
                sleep(random.nextInt(100));
                statement.execute((random.nextInt(3) == 0 ? "ROLLBACK" : "COMMIT") + " PREPARED '" + id + "'");
                session.setAutoCommit(false);
            }
            committed.incrementAndGet();
        } else {
            session.commit();
            committed.incrementAndGet();
        }
    }

    private static void step(Connection session, Statement statement, RandomGenerator random) throws SQLException {
        if (random.nextInt(8) == 0) {
            statement.execute("SAVEPOINT s");
            try {
                statement.execute(sql(random));
                if (random.nextBoolean()) {
                    statement.execute("ROLLBACK TO SAVEPOINT s");
                }
            } catch (SQLException e) {
                statement.execute("ROLLBACK TO SAVEPOINT s");
            }
        } else if (random.nextInt(8) == 0) {
            copy(session, random);
        } else {
            statement.execute(sql(random));
        }
    }

    /** Rows of one COPY share one LSN, as do those of a multi-row insert. */
    private static void copy(Connection session, RandomGenerator random) throws SQLException {
        StringBuilder rows = new StringBuilder();
        int count = random.nextInt(1, 120);
        for (int i = 0; i < count; i++) {
            rows.append(random.nextInt(7))
                    .append('\t')
                    .append(random.nextBoolean() ? "same" : "\\N")
                    .append('\n');
        }
        try {
            session.unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyIn("COPY public.log FROM STDIN", new StringReader(rows.toString()));
        } catch (IOException e) {
            throw new SQLException("COPY", e);
        }
    }

    private static String sql(RandomGenerator random) {
        int id = random.nextInt(1, 8000);
        int other = random.nextInt(1, 8000);
        return switch (random.nextInt(22)) {
            case 0 ->
                "INSERT INTO public.account SELECT i, i, %d, 'new', now() FROM generate_series(%d, %d) i"
                                .formatted(other, 10_000 + id, 10_000 + id + random.nextInt(40))
                        + " ON CONFLICT DO NOTHING";
            case 1 ->
                "UPDATE public.account SET balance = balance * 1.10, changed = clock_timestamp() WHERE id = " + id;
            case 2 -> "UPDATE public.account SET note = NULL WHERE id BETWEEN %d AND %d".formatted(id, id + other % 50);
            case 3 -> "DELETE FROM public.account WHERE id BETWEEN %d AND %d".formatted(id, id + other % 4);
            case 4 -> "UPDATE public.account SET id = -id WHERE id IN (%d, -%d)".formatted(id, other);
            case 5 -> SWAP_CODES.formatted(id, other);
            case 6 ->
                "UPDATE public.seat a SET place = b.place FROM public.seat b WHERE a.id IN (%1$d, %2$d) AND b.id IN (%1$d, %2$d) AND a.id <> b.id"
                        .formatted(id % 3000 + 1, other % 3000 + 1);
            case 7 ->
                "UPDATE public.seat SET place = -place WHERE id BETWEEN %d AND %d".formatted(id % 3000, id % 3000 + 5);
            case 8 ->
                "INSERT INTO public.\"Order Items\" VALUES (%d, %d, 'x', repeat(md5('%d'), 300), '{1,NULL}') ON CONFLICT (\"Order\", line) DO UPDATE SET big = excluded.big"
                        .formatted(id, other % 5, other);
            case 9 ->
                "UPDATE public.\"Order Items\" SET \"What?\" = 'untouched %d' WHERE \"Order\" = %d"
                        .formatted(other, id / 3);
            case 10 -> "UPDATE public.\"Order Items\" SET \"Order\" = \"Order\" + 100000 WHERE \"Order\" = " + id / 3;
            case 11 -> "DELETE FROM public.\"Order Items\" WHERE \"Order\" = " + id / 3;
            case 12 -> "INSERT INTO public.log VALUES (%1$d, 'same'), (%1$d, 'same'), (%1$d, NULL)".formatted(id % 7);
            case 13 ->
                "DELETE FROM public.log WHERE ctid IN (SELECT ctid FROM public.log WHERE at = %d LIMIT 3)"
                        .formatted(id % 7);
            case 14 ->
                "UPDATE public.log SET body = 'changed %d' WHERE ctid = (SELECT ctid FROM public.log WHERE at = %d LIMIT 1)"
                        .formatted(other % 3, id % 7);
            case 15 ->
                "INSERT INTO public.hot VALUES (%d, 0, repeat(md5('%d'), 200)) ON CONFLICT (id) DO UPDATE SET n = public.hot.n + 1"
                        .formatted(id + random.nextInt(4000), other);
            case 16 -> "UPDATE public.hot SET n = n + 1 WHERE id BETWEEN %d AND %d".formatted(id, id + other % 100);
            case 17 -> "DELETE FROM public.hot WHERE id = " + id;
            case 18 -> "UPDATE public.hot SET id = %d, n = n + 1 WHERE id = %d".formatted(other, id);
            case 19 -> SWAP_KEYS.formatted(id, other);
            case 20 ->
                "UPDATE public.hot SET id = CASE WHEN id > 20000 THEN id - 20000 ELSE id + 20000 END WHERE id %% 20000 BETWEEN %d AND %d"
                        .formatted(id, id + other % 50);
            default ->
                random.nextInt(RARELY) == 0
                        ? random.nextBoolean() ? "TRUNCATE public.scratch" : "TRUNCATE public.hot; " + REFILL
                        : "INSERT INTO public.scratch (value) SELECT 'v' FROM generate_series(1, %d)"
                                .formatted(other % 60);
        };
    }

    private static boolean sleep(long millis) {
        try {
            Thread.sleep(millis);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
