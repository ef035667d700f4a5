package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.service.Stopped;
import io.wherry.source.server.Identities.Identity;
import io.wherry.source.server.TableLocks.Lock;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The publication on the source: exactly the tables whose changes are wanted, each by name, so that nothing enters unasked.
 * Its row filters turn an update by which a row comes to be wanted into an insert, and the opposite into a delete.
 */
public final class Publication {
    private static final Logger LOG = LoggerFactory.getLogger(Publication.class);
    /** The first of each major version that does not forget what is published. */
    private static final List<Long> MENDED = List.of(130_021L, 140_018L, 150_013L, 160_009L, 170_005L);

    private static final int ATTEMPTS = 10;
    private static final long BETWEEN_MILLIS = 500;

    private Publication() {}

    public static boolean exists(Connection source, Migration migration) throws SQLException {
        try (PreparedStatement statement =
                source.prepareStatement("SELECT FROM pg_catalog.pg_publication WHERE pubname = ?")) {
            statement.setString(1, migration.publication());
            try (ResultSet row = statement.executeQuery()) {
                return row.next();
            }
        }
    }

    /**
     * Makes the publication, and goes on until every table is in it. Meant for a start: what waits for others is told by {@code
     * locks}.
     *
     * @param closed ends it
     */
    public static void ensure(
            Connection source,
            Migration migration,
            List<CatalogTable> selected,
            TableLocks locks,
            BooleanSupplier closed)
            throws SQLException {
        while (!publish(source, migration, selected, locks) && !closed.getAsBoolean()) {
            pause("publish tables");
        }
    }

    /**
     * Makes the publication, or adds those tables that it lacks and whose changes are wanted, as far as their locks are to be had. Before
     * a table is published, all is done that makes the source go on taking its updates and deletes: REPLICA IDENTITY FULL
     * where rows could not be told apart, noted at the publication in the same transaction, and the publication of stored
     * generated columns.
     *
     * @return whether all are in it
     */
    public static boolean publish(
            Connection source, Migration migration, List<CatalogTable> selected, TableLocks locks)
            throws SQLException {
        List<CatalogTable> tables = selected.stream()
                .filter(table -> migration.tables().follows(table.id()))
                .toList();
        create(source, migration);
        Map<Long, TableId> roots = new HashMap<>();
        Partition.read(source, migration).forEach(partition -> roots.put(partition.oid(), partition.root()));
        Set<TableId> unidentified = new HashSet<>();
        Map<TableId, CatalogTable> byName =
                tables.stream().collect(Collectors.toMap(CatalogTable::id, Function.identity()));
        for (Identity one : TableLocks.byContention(source, identities(source, tables, roots), Identity::oid)) {
            TableId carrier = byName.containsKey(one.id()) ? one.id() : roots.getOrDefault(one.oid(), one.id());
            if (one.needsStored()) {
                publishStored(source, migration);
            }
            if ((one.lacksKey() || lacksLikeWhole(one, byName.get(carrier)))
                    && !FullIdentities.set(source, migration, one, locks)) {
                unidentified.add(carrier);
            }
        }
        Set<TableId> published = published(source, migration);
        List<CatalogTable> missing = tables.stream()
                .filter(t -> !published.contains(t.id()) && !unidentified.contains(t.id()))
                .toList();
        return add(source, migration, missing, locks) && unidentified.isEmpty();
    }

    private static void create(Connection source, Migration migration) throws SQLException {
        if (!exists(source, migration)) {
            String publish =
                    ServerVersion.major(source) >= 11 ? "insert, update, delete, truncate" : "insert, update, delete";
            alter(source, migration, "CREATE PUBLICATION " + name(migration) + " WITH (publish = '" + publish + "')");
        }
    }

    /** They come in the stream then, and go no further. */
    static void publishStored(Connection source, Migration migration) throws SQLException {
        if (!Identities.publishesStored(source, migration)) {
            LOG.info(
                    "stored generated columns are published: the source would refuse updates of some tables otherwise");
            alter(
                    source,
                    migration,
                    "ALTER PUBLICATION " + name(migration) + " SET (publish_generated_columns = stored)");
        }
    }

    /** Of the tables, and of the partitions of those that are carried whole. */
    private static List<Identity> identities(Connection source, List<CatalogTable> tables, Map<Long, TableId> roots)
            throws SQLException {
        Set<TableId> names = tables.stream().map(CatalogTable::id).collect(Collectors.toSet());
        Set<Long> oids = new HashSet<>();
        tables.forEach(table -> oids.add(table.oid()));
        roots.forEach((partition, root) -> {
            if (names.contains(root)) {
                oids.add(partition);
            }
        });
        return Identities.of(source, oids);
    }

    /** A partition that would not name its rows as the table does that carries it. */
    private static boolean lacksLikeWhole(Identity one, CatalogTable whole) {
        return whole != null
                && whole.partitioned()
                && one.identity() != ReplicaIdentity.FULL
                && whole.primaryKey().isEmpty();
    }

    /** Adds them together, and, when one cannot be locked, each for itself. */
    private static boolean add(Connection source, Migration migration, List<CatalogTable> missing, TableLocks locks)
            throws SQLException {
        List<CatalogTable> free =
                missing.stream().filter(table -> !locks.rests(table.id())).toList();
        String add = "ALTER PUBLICATION " + name(migration) + " ADD TABLE ";
        if (free.isEmpty()
                || free.size() > 1
                        && locks.attemptAll(
                                source,
                                migration.publication(),
                                statement -> statement.execute(add + names(free, migration)))) {
            return free.size() == missing.size();
        }
        boolean all = free.size() == missing.size();
        for (CatalogTable table : TableLocks.byContention(source, free, CatalogTable::oid)) {
            all &= locks.attempt(
                    source,
                    "ALTER PUBLICATION … ADD TABLE",
                    table.id(),
                    Lock.SHARED,
                    statement -> statement.execute(add + names(List.of(table), migration)));
        }
        return all;
    }

    /**
     * Waits until the transactions that run now have ended, and has the server look anew which tables are published, where it
     * would not by itself.
     *
     * <p>Counterexample: T1 writes to t, t is added, T1 commits. Decoding T1, the server looks t up as T1 saw it, not
     * published, and keeps that for all that comes after: T2 begins after the load of t, writes to it, and is not sent
     * (release notes of {@link #MENDED}, "data loss in logical replication"). With this before the load's snapshot, no such
     * transaction is left, and what comes after the snapshot is sent.
     *
     * @param source in auto-commit mode
     * @param loading tables whose load comes next
     * @param closed ends the wait
     */
    public static void settle(
            Connection source, Migration migration, Set<TableId> loading, TableLocks locks, BooleanSupplier closed)
            throws SQLException {
        Set<TableId> published = published(source, migration);
        published.retainAll(loading);
        if (published.isEmpty() || isMended(number(source, "SELECT current_setting('server_version_num')"))) {
            return;
        }
        LOG.info("waiting for the transactions that run now");
        Horizon.await(source, Horizon.next(source), locks, closed);
        // It looks anew, at all tables, when one joins or leaves a publication; every snapshot sees it published.
        while (!closed.getAsBoolean()) {
            for (TableId any : published) {
                if (joinAgain(source, migration, any, locks)) {
                    return;
                }
            }
            pause("publish a table again");
        }
    }

    private static boolean joinAgain(Connection source, Migration migration, TableId table, TableLocks locks)
            throws SQLException {
        String alter = "ALTER PUBLICATION " + name(migration);
        return locks.attemptAll(source, table.toString(), statement -> {
            statement.execute(alter + " DROP TABLE ONLY " + table.quoted());
            statement.execute(alter + " ADD TABLE ONLY " + table.quoted()
                    + migration.tables().whereClause(table));
        });
    }

    private static boolean isMended(long version) {
        return MENDED.stream().anyMatch(minor -> version / 10_000 == minor / 10_000 && version >= minor)
                || version / 10_000 > 17;
    }

    private static long number(Connection source, String sql) throws SQLException {
        try (Statement statement = source.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }

    // ONLY: a parent would otherwise bring its children in, also those that are excluded. A partitioned table that is
    // carried whole brings in all its partitions, those to come too, from the moment they are made.
    private static String names(List<CatalogTable> tables, Migration migration) {
        return tables.stream()
                .map(t -> "ONLY " + t.id().quoted() + migration.tables().whereClause(t.id()))
                .collect(Collectors.joining(", "));
    }

    /**
     * Takes out tables whose row filter is not the one that their names ask for, as it is when names went to other tables;
     * {@link #publish} puts them in again. To be called before the snapshot of their new load.
     */
    public static void refilter(Connection source, Migration migration, Set<TableId> tables, TableLocks locks)
            throws SQLException {
        if (tables.isEmpty() || ServerVersion.major(source) < 15) {
            return;
        }
        Set<TableId> filtered = new HashSet<>();
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = ? AND rowfilter IS NOT NULL")) {
            statement.setString(1, migration.publication());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    filtered.add(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        Set<TableId> published = published(source, migration);
        for (TableId table : tables) {
            boolean wanted = !migration.tables().whereClause(table).isEmpty();
            if (published.contains(table) && (wanted || filtered.contains(table))) {
                takeOut(source, migration, table, locks);
            }
        }
    }

    /** Nothing of the table may be loaded before: what the filter of another table leaves out would be missing. */
    private static void takeOut(Connection source, Migration migration, TableId table, TableLocks locks)
            throws SQLException {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            if (locks.attemptAll(
                    source,
                    table.toString(),
                    statement -> statement.execute(
                            "ALTER PUBLICATION " + name(migration) + " DROP TABLE ONLY " + table.quoted()))) {
                return;
            }
            pause("take " + table + " out of the publication");
        }
        throw new RetryableException(
                "take out of the publication", table.toString(), "its lock was not to be had", "See pg_locks");
    }

    /** The tables of the publication. A table that was dropped and made anew under its name is not among them. */
    public static Set<TableId> published(Connection source, Migration migration) throws SQLException {
        Set<TableId> published = new HashSet<>();
        try (PreparedStatement statement =
                source.prepareStatement("SELECT n.nspname, c.relname FROM pg_catalog.pg_publication p"
                        + " JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid"
                        + " JOIN pg_catalog.pg_class c ON c.oid = r.prrelid"
                        + " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = ?")) {
            statement.setString(1, migration.publication());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    published.add(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        return published;
    }

    static String name(Migration migration) {
        return Identifiers.quote(migration.publication());
    }

    /** Runs a statement that locks no table. */
    private static void alter(Connection source, Migration migration, String sql) throws SQLException {
        try (Statement statement = source.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (state.startsWith("08") || state.startsWith("57") || state.startsWith("40") || state.equals("XX000")) {
                throw e;
            }
            throw new DataException(
                    "prepare",
                    "publication " + migration.publication(),
                    e.getMessage(),
                    "Check the role's rights on the source: " + sql,
                    e);
        }
    }

    static void pause(String operation) {
        try {
            Thread.sleep(BETWEEN_MILLIS);
        } catch (InterruptedException e) {
            throw Stopped.interrupted(operation, e);
        }
    }
}
