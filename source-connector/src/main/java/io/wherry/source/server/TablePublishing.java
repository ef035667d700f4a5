package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.source.server.Identities.Identity;
import io.wherry.source.server.TableLocks.Lock;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Adds tables to the publication, each with a replica identity with which the source continues to accept its updates. */
public final class TablePublishing {
    private TablePublishing() {}

    /**
     * Publishes the tables, and retries until every table is in the publication. For a start.
     *
     * @param locks reports what waits for other sessions
     * @param closed ends the attempts
     */
    public static void ensure(
            Connection source,
            CaptureGroup group,
            List<CatalogTable> selected,
            TableLocks locks,
            BooleanSupplier closed)
            throws SQLException {
        while (!publish(source, group, selected, locks) && !closed.getAsBoolean()) {
            TableLocks.pause("publish tables");
        }
    }

    /**
     * Adds the missing tables whose changes are wanted to the publication, as far as they can be locked. Creates the publication if
     * it does not exist. Before a table is published, this method does everything that the source needs to continue to accept updates
     * and deletes of the table: it sets REPLICA IDENTITY FULL if changes would not name their rows, with a note at the publication in
     * the same transaction, and it publishes stored generated columns.
     *
     * @return whether all tables are in the publication
     */
    public static boolean publish(Connection source, CaptureGroup group, List<CatalogTable> selected, TableLocks locks)
            throws SQLException {
        List<CatalogTable> tables = selected.stream()
                .filter(table -> group.migration().tables().follows(table.id()))
                .toList();
        Publication.create(source, group);
        Map<Long, TableId> roots = new HashMap<>();
        Partition.read(source, group.migration()).forEach(partition -> roots.put(partition.oid(), partition.root()));
        Set<TableId> unidentified = new HashSet<>();
        Map<TableId, CatalogTable> byName =
                tables.stream().collect(Collectors.toMap(CatalogTable::id, Function.identity()));
        for (Identity one : LockHolders.byContention(source, identities(source, tables, roots), Identity::oid)) {
            TableId carrier = byName.containsKey(one.id()) ? one.id() : roots.getOrDefault(one.oid(), one.id());
            if (one.needsStored()) {
                Publication.publishStored(source, group);
            }
            if ((one.lacksKey() || lacksLikeWhole(one, byName.get(carrier)))
                    && !FullIdentities.set(source, group, one, locks)) {
                unidentified.add(carrier);
            }
        }
        Set<TableId> published = Publication.published(source, group);
        List<CatalogTable> missing = tables.stream()
                .filter(t -> !published.contains(t.id()) && !unidentified.contains(t.id()))
                .toList();
        return add(source, group, missing, locks) && unidentified.isEmpty();
    }

    /** The identities of the tables, and of the partitions of tables that are carried whole. */
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

    /** Whether it is a partition whose changes would not name a row by the key of the table that carries the partition. */
    private static boolean lacksLikeWhole(Identity one, CatalogTable whole) {
        return whole != null
                && whole.partitioned()
                && one.identity() != ReplicaIdentity.FULL
                && whole.primaryKey().isEmpty();
    }

    /** Adds the tables together, or one by one if a table cannot be locked. */
    private static boolean add(Connection source, CaptureGroup group, List<CatalogTable> missing, TableLocks locks)
            throws SQLException {
        List<CatalogTable> free =
                missing.stream().filter(table -> !locks.rests(table.id())).toList();
        String add = "ALTER PUBLICATION " + Publication.name(group) + " ADD TABLE ";
        if (free.isEmpty()
                || free.size() > 1
                        && locks.attemptAll(
                                source,
                                group.publication(),
                                statement -> statement.execute(add + members(free, group)))) {
            return free.size() == missing.size();
        }
        boolean all = free.size() == missing.size();
        for (CatalogTable table : LockHolders.byContention(source, free, CatalogTable::oid)) {
            all &= locks.attempt(
                    source,
                    "ALTER PUBLICATION … ADD TABLE",
                    table.id(),
                    Lock.SHARED,
                    statement -> statement.execute(add + members(List.of(table), group)));
        }
        return all;
    }

    // ONLY: with a parent, its children would be added too, also excluded ones. With a partitioned table that is
    // carried whole, all its partitions are published, later partitions from the moment they are created.
    private static String members(List<CatalogTable> tables, CaptureGroup group) {
        return tables.stream()
                .map(t -> "ONLY " + t.id().quoted() + group.migration().tables().whereClause(t.id()))
                .collect(Collectors.joining(", "));
    }
}
