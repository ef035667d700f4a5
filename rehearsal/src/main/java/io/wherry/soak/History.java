package io.wherry.soak;

import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.random.HistoryRunner;
import io.wherry.random.HistoryStep;
import io.wherry.random.RandomHistory;
import io.wherry.random.RandomSchema;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A seeded random history: several sessions with interleaved short and long transactions, over connections that log in again when
 * they break. A failed transaction is rolled back: only what the source holds in the end counts.
 */
final class History implements AutoCloseable {
    private static final int SESSIONS = 4;
    private static final Logger LOG = LoggerFactory.getLogger(History.class);
    private static final long RECONNECT_MILLIS = 100;
    private static final long STEP_MILLIS = 40;
    // Interleaving matters, not volume: the servers share their cores with the services.
    private static final int PAUSE_MILLIS = 250;
    private static final int STEPS = 10;

    private final EmbeddedPostgres source;
    private final String database;
    private final RandomHistory randomTables;
    private final List<Thread> threads = new ArrayList<>();
    private final boolean leavePrepared;
    private final AtomicInteger committed = new AtomicInteger();
    private volatile boolean finishing;

    /**
     * Starts to write.
     *
     * @param schema random tables with a history of their own, in addition to the soak's tables
     * @param leavePrepared leave some prepared transactions to {@link #finish}; a slot cannot be created before they end
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
     * Lets the sessions end, and ends the remaining prepared transactions.
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

    /** Makes the sessions end soon, whatever they have written. */
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

    /** One statement after another, with the sessions in turns; statements that the server refuses are skipped. */
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
            // The source is hit by a fault: the next step of this session logs in again.
            return sleep(RECONNECT_MILLIS);
        }
    }

    private void write(RandomGenerator random, int transactions) {
        int left = transactions;
        while (left > 0 || !finishing) {
            try (Connection session = SoakServers.open(source, database)) {
                session.setAutoCommit(false);
                try (Statement statement = session.createStatement()) {
                    // Short: a prepared transaction of another session may hold a row lock until the end.
                    statement.execute("SET lock_timeout = '300ms'");
                    session.commit();
                    while (left > 0 || !finishing) {
                        left--;
                        transaction(session, statement, random);
                    }
                }
            } catch (SQLException e) {
                // The source or the connection is hit by a fault: log in again.
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
                statement.execute(HistoryWrites.next(random));
                if (random.nextBoolean()) {
                    statement.execute("ROLLBACK TO SAVEPOINT s");
                }
            } catch (SQLException e) {
                statement.execute("ROLLBACK TO SAVEPOINT s");
            }
        } else if (random.nextInt(8) == 0) {
            HistoryWrites.copy(session, random);
        } else {
            statement.execute(HistoryWrites.next(random));
        }
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
