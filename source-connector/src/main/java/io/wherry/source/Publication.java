package io.wherry.source;

import io.wherry.contract.Catalog;
import io.wherry.contract.DataException;
import io.wherry.contract.Identifiers;
import io.wherry.contract.Migration;
import io.wherry.contract.ReplicaIdentities;
import io.wherry.contract.RetryableException;
import io.wherry.contract.TableId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The publication on the source: exactly the tables whose changes are wanted, each by name, so that nothing enters unasked.
 * Its row filters turn an update by which a row comes to be wanted into an insert, and the opposite into a delete.
 */
final class Publication {
    private static final Logger LOG = LoggerFactory.getLogger(Publication.class);
    private static final String LOCK_NOT_AVAILABLE = "55P03";
    /** The first of each major version that does not forget what is published. */
    private static final List<Long> MENDED = List.of(130_021L, 140_018L, 150_013L, 160_009L, 170_005L);

    /** No such table, or, as one made anew under its name, not part of the publication. */
    private static final Set<String> GONE = Set.of("42P01", "42704");

    private static final int ATTEMPTS = 30;
    private static final long BETWEEN_MILLIS = 500;

    private Publication() {}

    static boolean exists(Connection source, Migration migration) throws SQLException {
        try (PreparedStatement statement =
                source.prepareStatement("SELECT FROM pg_catalog.pg_publication WHERE pubname = ?")) {
            statement.setString(1, migration.publication());
            try (ResultSet row = statement.executeQuery()) {
                return row.next();
            }
        }
    }

    /**
     * Whether updates and deletes on the table would fail once it is published: the stream could not say which row is meant.
     */
    static boolean lacksIdentity(Catalog.Table table) {
        return table.replicaIdentity() == 'n'
                || table.replicaIdentity() != 'f' && table.identity().isEmpty();
    }

    /**
     * Makes the publication, or adds those tables that it lacks and whose changes are wanted. Tables that would refuse updates once published get REPLICA
     * IDENTITY FULL first, each noted at the publication in the same transaction.
     */
    static void ensure(Connection source, Migration migration, List<Catalog.Table> selected) throws SQLException {
        List<Catalog.Table> tables = selected.stream()
                .filter(table -> migration.tables().follows(table.id()))
                .toList();
        String name = Identifiers.quote(migration.publication());
        if (!exists(source, migration)) {
            String publish =
                    Catalog.majorVersion(source) >= 11 ? "insert, update, delete, truncate" : "insert, update, delete";
            alter(
                    source,
                    migration.publication(),
                    "CREATE PUBLICATION " + name + " WITH (publish = '" + publish + "')");
        }
        for (Catalog.Table table : tables) {
            if (!table.partitioned() && lacksIdentity(table)) {
                setFull(source, migration, table.id(), table.replicaIdentity());
            }
        }
        identify(source, migration, tables, Partition.read(source, migration));
        Set<TableId> published = published(source, migration);
        List<Catalog.Table> missing =
                tables.stream().filter(t -> !published.contains(t.id())).toList();
        if (!missing.isEmpty()) {
            alter(
                    source,
                    migration.publication(),
                    "ALTER PUBLICATION " + name + " ADD TABLE " + names(missing, migration));
        }
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
    static void settle(Connection source, Migration migration, Set<TableId> loading, BooleanSupplier closed)
            throws SQLException {
        Set<TableId> published = published(source, migration);
        published.retainAll(loading);
        if (published.isEmpty() || isMended(number(source, "SELECT current_setting('server_version_num')"))) {
            return;
        }
        LOG.info("waiting for the transactions that run now");
        long next = number(source, "SELECT txid_snapshot_xmax(txid_current_snapshot())");
        while (number(source, "SELECT txid_snapshot_xmin(txid_current_snapshot())") < next) {
            if (closed.getAsBoolean()) {
                return;
            }
            pause("wait for the transactions that run now");
        }
        // It looks anew, at all tables, when one joins or leaves a publication; every snapshot sees it published.
        TableId any = published.iterator().next();
        String alter = "ALTER PUBLICATION " + Identifiers.quote(migration.publication());
        source.setAutoCommit(false);
        try {
            alter(source, any.toString(), alter + " DROP TABLE ONLY " + any.quoted());
            alter(
                    source,
                    any.toString(),
                    alter + " ADD TABLE ONLY " + any.quoted()
                            + migration.tables().whereClause(any));
            source.commit();
        } finally {
            source.rollback();
            source.setAutoCommit(true);
        }
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

    /** Gives REPLICA IDENTITY FULL to the partitions of whole tables that lack one like the whole's. */
    static void identify(Connection source, Migration migration, List<Catalog.Table> tables, List<Partition> partitions)
            throws SQLException {
        for (Catalog.Table table : tables) {
            for (Partition partition : partitions) {
                if (partition.root().equals(table.id()) && partition.lacksIdentity(table)) {
                    setFull(source, migration, partition.id(), partition.replicaIdentity());
                }
            }
        }
    }

    private static void setFull(Connection source, Migration migration, TableId table, char before)
            throws SQLException {
        LOG.info("{}: no key, so REPLICA IDENTITY FULL is set", table);
        ReplicaIdentities noted = ReplicaIdentities.read(source, migration);
        source.setAutoCommit(false);
        try {
            noted.with(new ReplicaIdentities.Changed(table, before)).write(source, migration);
            alter(source, table.toString(), "ALTER TABLE ONLY " + table.quoted() + " REPLICA IDENTITY FULL");
            source.commit();
        } finally {
            source.rollback();
            source.setAutoCommit(true);
        }
    }

    // ONLY: a parent would otherwise bring its children in, also those that are excluded. A partitioned table that is
    // carried whole brings in all its partitions, those to come too, from the moment they are made.
    private static String names(List<Catalog.Table> tables, Migration migration) {
        return tables.stream()
                .map(t -> "ONLY " + t.id().quoted() + migration.tables().whereClause(t.id()))
                .collect(Collectors.joining(", "));
    }

    /**
     * Takes out tables whose row filter is not the one that their names ask for, as it is when names went to other tables;
     * {@link #ensure} puts them in again. To be called before the snapshot of their new load.
     */
    static void refilter(Connection source, Migration migration, Set<TableId> tables) throws SQLException {
        if (tables.isEmpty() || Catalog.majorVersion(source) < 15) {
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
                alter(
                        source,
                        migration.publication(),
                        "ALTER PUBLICATION " + Identifiers.quote(migration.publication()) + " DROP TABLE ONLY "
                                + table.quoted());
            }
        }
    }

    /** The tables of the publication. A table that was dropped and made anew under its name is not among them. */
    static Set<TableId> published(Connection source, Migration migration) throws SQLException {
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

    /**
     * Runs a statement that needs a lock on tables in use. A waiting lock request holds up everybody behind it, so each
     * attempt gives way soon.
     */
    private static void alter(Connection source, String object, String sql) throws SQLException {
        for (int attempt = 1; ; attempt++) {
            Savepoint before = source.getAutoCommit() ? null : source.setSavepoint();
            try (Statement statement = source.createStatement()) {
                statement.execute("SET lock_timeout = '2s'");
                statement.execute(sql);
                statement.execute("SET lock_timeout = 0");
                return;
            } catch (SQLException e) {
                if (GONE.contains(e.getSQLState())) {
                    throw new RetryableException("prepare", object, e.getMessage(), "", e);
                }
                if (!LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
                    throw new DataException("prepare", object, e.getMessage(), "Look at the role's rights: " + sql, e);
                }
                if (attempt == ATTEMPTS) {
                    throw new RetryableException(
                            "prepare", object, "the lock could not be had", "Look which session holds it", e);
                }
                LOG.info("{}: locked by others, trying again", object);
                if (before != null) {
                    source.rollback(before);
                }
            }
            pause("prepare " + object);
        }
    }

    private static void pause(String operation) {
        try {
            Thread.sleep(BETWEEN_MILLIS);
        } catch (InterruptedException e) {
            throw Stopped.interrupted(operation, e);
        }
    }
}
