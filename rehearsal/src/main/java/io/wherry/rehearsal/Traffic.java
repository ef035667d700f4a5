package io.wherry.rehearsal;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogTable;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An application that keeps writing: seeded transactions on every table at a given rate, over ordinary connections. When a
 * connection breaks, the application logs in again, at the database that the traffic is switched to. Every transaction also
 * inserts a numbered row into {@code rehearsal.ledger}, so that each acknowledged commit can be checked later.
 */
public final class Traffic implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Traffic.class);
    private static final int WRITERS = 4;
    private static final int MOST_WRITES = 4;
    private static final long FIRST_KEY = 1_000_000_000L;
    private static final long KEYS_EACH = 20_000_000L;
    private static final long RECONNECT_MILLIS = 10;

    private final Supplier<Endpoint> database;
    private final List<CatalogTable> tables;
    private final Map<Long, Set<String>> foreignColumns;
    private final long seed;
    private final double perWriterNanos;
    private final WriteLog log;
    private final long lastId;
    private final AtomicLong nextId;
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean running = true;

    /**
     * @param database where to log in now; called before each login
     * @param catalog a connection to the database, which holds the ledger
     * @param rate transactions a second over all writers
     */
    public Traffic(Supplier<Endpoint> database, Connection catalog, long seed, int rate) throws SQLException {
        this(database, catalog, seed, rate, new WriteLog());
    }

    /** @param log gets each acknowledged transaction */
    public Traffic(Supplier<Endpoint> database, Connection catalog, long seed, int rate, WriteLog log)
            throws SQLException {
        this(database, catalog, seed, rate, log, table -> true);
    }

    /** @param which tables are written to */
    public Traffic(
            Supplier<Endpoint> database,
            Connection catalog,
            long seed,
            int rate,
            WriteLog log,
            Predicate<CatalogTable> which)
            throws SQLException {
        this.database = database;
        this.seed = seed;
        this.perWriterNanos = 1e9 * WRITERS / rate;
        this.log = log;
        this.lastId = lastId(catalog);
        this.nextId = new AtomicLong(lastId + 1);
        this.tables = Catalog.tables(catalog).stream()
                .filter(t ->
                        !t.id().schema().equals("rehearsal") && !t.writable().isEmpty())
                .filter(which)
                .toList();
        this.foreignColumns = foreignColumns(catalog);
    }

    /**
     * Creates the ledger, which the traffic needs.
     *
     * @param owner connection with the right to create schemas
     * @param user the traffic's role
     */
    public static void createLedger(Connection owner, String user) throws SQLException {
        String role = Identifiers.quote(user);
        try (Statement statement = owner.createStatement()) {
            statement.execute("CREATE SCHEMA rehearsal");
            statement.execute("CREATE TABLE rehearsal.ledger (id bigint PRIMARY KEY, writer int NOT NULL)");
            statement.execute("GRANT USAGE ON SCHEMA rehearsal TO " + role);
            statement.execute("GRANT SELECT, INSERT ON rehearsal.ledger TO " + role);
        }
    }

    private static long lastId(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT coalesce(max(id), 0) FROM rehearsal.ledger")) {
            row.next();
            return row.getLong(1);
        }
    }

    private static Map<Long, Set<String>> foreignColumns(Connection connection) throws SQLException {
        Map<Long, Set<String>> columns = new HashMap<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT c.conrelid, a.attname FROM pg_catalog.pg_constraint c"
                        + " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
                        + " WHERE c.contype = 'f'")) {
            while (row.next()) {
                columns.computeIfAbsent(row.getLong(1), oid -> new HashSet<>()).add(row.getString(2));
            }
        }
        return columns;
    }

    public void start() {
        for (int writer = 0; writer < WRITERS; writer++) {
            int number = writer;
            Thread thread = new Thread(() -> write(number), "traffic-" + writer);
            thread.setDaemon(true);
            threads.add(thread);
            thread.start();
        }
    }

    /** Transactions acknowledged so far. */
    public long acknowledged() {
        return log.count();
    }

    WriteLog log() {
        return log;
    }

    private void write(int writer) {
        Random random = new Random(seed * 31 + writer);
        List<TrafficTable> shapes = new ArrayList<>();
        for (CatalogTable table : tables) {
            shapes.add(new TrafficTable(table, foreignColumns.getOrDefault(table.oid(), Set.of()), firstKey(writer)));
        }
        boolean sampled = false;
        long due = System.nanoTime();
        while (running) {
            try (Connection connection = connect()) {
                if (!sampled) {
                    for (TrafficTable shape : shapes) {
                        shape.sample(connection);
                    }
                    sampled = true;
                }
                connection.setAutoCommit(false);
                while (running) {
                    due = Math.max(due + (long) perWriterNanos, System.nanoTime() - 1_000_000_000L);
                    TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
                    transaction(connection, writer, shapes, random);
                }
            } catch (SQLException e) {
                LOG.trace("writer {} reconnects: {}", writer, e.getMessage());
                pause();
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    // Traffic that starts again after its process ended must not use the keys of before.
    private long firstKey(int writer) {
        return FIRST_KEY + writer * KEYS_EACH + MOST_WRITES * lastId;
    }

    private Connection connect() throws SQLException {
        Endpoint endpoint = database.get();
        Properties properties = new Properties();
        properties.setProperty("user", endpoint.user());
        properties.setProperty("password", endpoint.password());
        properties.setProperty("ApplicationName", "shop");
        properties.setProperty("connectTimeout", "2");
        return DriverManager.getConnection(endpoint.url(), properties);
    }

    /**
     * One to four writes and the ledger row. If the connection breaks, the exception is passed on, so that the caller logs in
     * again.
     */
    private void transaction(Connection connection, int writer, List<TrafficTable> shapes, Random random)
            throws SQLException {
        long id = nextId.getAndIncrement();
        int writes = random.nextInt(4) == 0 ? 2 + random.nextInt(MOST_WRITES - 1) : 1;
        try {
            for (int i = 0; i < writes; i++) {
                shapes.get(random.nextInt(shapes.size())).write(connection, random);
            }
            record(connection, id, writer);
        } catch (SQLException e) {
            if (connectionLost(e)) {
                throw e;
            }
            connection.rollback();
            log.refused();
            return;
        }
        try {
            connection.commit();
        } catch (SQLException e) {
            if (connectionLost(e)) {
                log.inDoubt();
                throw e;
            }
            connection.rollback();
            log.refused();
            return;
        }
        log.acknowledged(id);
    }

    private static void record(Connection connection, long id, int writer) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("INSERT INTO rehearsal.ledger (id, writer) VALUES (?, ?)")) {
            statement.setLong(1, id);
            statement.setInt(2, writer);
            statement.executeUpdate();
        }
    }

    /** Connection failures, shutdowns and terminated sessions: PostgreSQL documentation, appendix A, classes 08 and 57. */
    private static boolean connectionLost(SQLException e) {
        String state = e.getSQLState();
        return state == null || state.startsWith("08") || state.startsWith("57P") || state.startsWith("28");
    }

    private void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(RECONNECT_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Acknowledged transactions whose ledger row is not in the database behind {@code connection}. */
    public long lost(Connection connection) throws SQLException {
        return lost(log.ids(), connection);
    }

    /** How many of the transactions have no ledger row in the database behind {@code connection}. */
    public static long lost(Collection<Long> acknowledged, Connection connection) throws SQLException {
        Set<Long> present = new HashSet<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT id FROM rehearsal.ledger")) {
            while (row.next()) {
                present.add(row.getLong(1));
            }
        }
        return acknowledged.stream().filter(id -> !present.contains(id)).count();
    }

    /** Ends after the transactions in progress. */
    @Override
    public void close() {
        running = false;
        for (Thread thread : threads) {
            try {
                thread.join(TimeUnit.SECONDS.toMillis(10));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}
