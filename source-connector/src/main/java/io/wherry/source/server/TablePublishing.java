package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
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

/** Brings tables into the publication, each with a replica identity that lets the source go on taking its updates. */
public final class TablePublishing {
    private TablePublishing() {}

    /**
     * Publishes the tables, and goes on until every table is in the publication. Meant for a start.
     *
     * @param locks reports what waits for others
     * @param closed ends the attempts
     */
    public static void ensure(
            Connection source,
            Migration migration,
            List<Catalog.Table> selected,
            TableLocks locks,
            BooleanSupplier closed)
            throws SQLException {
        while (!publish(source, migration, selected, locks) && !closed.getAsBoolean()) {
            TableLocks.pause("publish tables");
        }
    }

    /**
     * Adds the tables that the publication lacks and whose changes are wanted, as far as their locks are to be had; creates
     * the publication where there is none. Before a table is published, everything is done that makes the source go on
     * taking the table's updates and deletes: REPLICA IDENTITY FULL where rows could not be told apart, noted at the
     * publication in the same transaction, and the publication of stored generated columns.
     *
     * @return whether all tables are in the publication
     */
    public static boolean publish(
            Connection source, Migration migration, List<Catalog.Table> selected, TableLocks locks)
            throws SQLException {
        List<Catalog.Table> tables = selected.stream()
                .filter(table -> migration.tables().follows(table.id()))
                .toList();
        Publication.create(source, migration);
        Map<Long, TableId> roots = new HashMap<>();
        Partition.read(source, migration).forEach(partition -> roots.put(partition.oid(), partition.root()));
        Set<TableId> unidentified = new HashSet<>();
        Map<TableId, Catalog.Table> byName =
                tables.stream().collect(Collectors.toMap(Catalog.Table::id, Function.identity()));
        for (Identity one : LockHolders.byContention(source, identities(source, tables, roots), Identity::oid)) {
            TableId carrier = byName.containsKey(one.id()) ? one.id() : roots.getOrDefault(one.oid(), one.id());
            if (one.needsStored()) {
                Publication.publishStored(source, migration);
            }
            if ((one.lacksKey() || lacksLikeWhole(one, byName.get(carrier)))
                    && !FullIdentities.set(source, migration, one, locks)) {
                unidentified.add(carrier);
            }
        }
        Set<TableId> published = Publication.published(source, migration);
        List<Catalog.Table> missing = tables.stream()
                .filter(t -> !published.contains(t.id()) && !unidentified.contains(t.id()))
                .toList();
        return add(source, migration, missing, locks) && unidentified.isEmpty();
    }

    /** The identities of the tables, and of the partitions of tables that are carried whole. */
    private static List<Identity> identities(Connection source, List<Catalog.Table> tables, Map<Long, TableId> roots)
            throws SQLException {
        Set<TableId> names = tables.stream().map(Catalog.Table::id).collect(Collectors.toSet());
        Set<Long> oids = new HashSet<>();
        tables.forEach(table -> oids.add(table.oid()));
        roots.forEach((partition, root) -> {
            if (names.contains(root)) {
                oids.add(partition);
            }
        });
        return Identities.of(source, oids);
    }

    /** Whether it is a partition that would not name its rows as the table that carries the partition does. */
    private static boolean lacksLikeWhole(Identity one, Catalog.Table whole) {
        return whole != null
                && whole.partitioned()
                && one.identity() != 'f'
                && whole.primaryKey().isEmpty();
    }

    /** Adds the tables together, or each by itself when one of them cannot be locked. */
    private static boolean add(Connection source, Migration migration, List<Catalog.Table> missing, TableLocks locks)
            throws SQLException {
        List<Catalog.Table> free =
                missing.stream().filter(table -> !locks.rests(table.id())).toList();
        String add = "ALTER PUBLICATION " + Publication.name(migration) + " ADD TABLE ";
        if (free.isEmpty()
                || free.size() > 1
                        && locks.attemptAll(
                                source,
                                migration.publication(),
                                statement -> statement.execute(add + members(free, migration)))) {
            return free.size() == missing.size();
        }
        boolean all = free.size() == missing.size();
        for (Catalog.Table table : LockHolders.byContention(source, free, Catalog.Table::oid)) {
            all &= locks.attempt(
                    source,
                    "ALTER PUBLICATION … ADD TABLE",
                    table.id(),
                    Lock.SHARED,
                    statement -> statement.execute(add + members(List.of(table), migration)));
        }
        return all;
    }

    // ONLY: a parent would otherwise bring in its children, also excluded ones. A partitioned table that is carried
    // whole
    // brings in all its partitions, later ones from the moment they are created.
    private static String members(List<Catalog.Table> tables, Migration migration) {
        return tables.stream()
                .map(t -> "ONLY " + t.id().quoted() + migration.tables().whereClause(t.id()))
                .collect(Collectors.joining(", "));
    }
}
