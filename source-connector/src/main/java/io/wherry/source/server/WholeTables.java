package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.record.SourceStatus.FailedLoad;
import io.wherry.source.control.ChunkLayout.Part;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.PartitionSeen;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The partitions of tables that are carried whole, and changes of them that are not in the stream: an attached partition brings
 * rows, and a detached or dropped partition takes rows away. Safe for use by several threads, except {@link #look}.
 */
public final class WholeTables {
    private static final Logger LOG = LoggerFactory.getLogger(WholeTables.class);
    /** The table is locked, or was dropped since. */
    private static final Set<String> NOT_NOW = Set.of("55P03", "42P01");

    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private final CaptureGroup group;
    private final ControlTopic control;
    private final TableLocks locks;
    /** By oid of the partition, for each whole table. */
    private final Map<TableId, Map<Long, Part>> known = new ConcurrentHashMap<>();

    /** Partitions whose rows went to a whole table before {@link #look} saw the partition. */
    private final Map<Long, TableId> met = new ConcurrentHashMap<>();

    private final Map<TableId, String> problems = new ConcurrentHashMap<>();

    public WholeTables(CaptureGroup group, ControlTopic control, TableLocks locks) {
        this.group = group;
        this.locks = locks;
        this.control = control;
    }

    /** The partitions whose rows are in the table's load. */
    public void know(TableId whole, List<Part> parts) {
        if (group.migration().tables().isWhole(whole)) {
            Map<Long, Part> byNumber = new ConcurrentHashMap<>();
            parts.forEach(part -> byNumber.put(part.oid(), part));
            known.put(whole, byNumber);
            met.values().removeIf(whole::equals);
            problems.remove(whole);
        }
    }

    /** The stream holds rows of the partition, which go to the whole table. */
    public void meet(long partition, TableId whole) {
        met.put(partition, whole);
    }

    /** The whole table that carries the rows of the partition; empty = the partition was never seen. */
    public Optional<TableId> carrier(long partition) {
        return known.entrySet().stream()
                .filter(entry -> entry.getValue().containsKey(partition))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    /**
     * A partition whose catalog entry shows what earlier rows hold in a new column: the given partition if it was loaded, else
     * another one, because {@code ALTER TABLE} changes all partitions alike.
     */
    public Optional<Part> loaded(TableId whole, long partition) {
        Map<Long, Part> parts = known.getOrDefault(whole, Map.of());
        Part own = parts.get(partition);
        return own != null && own.file() != 0
                ? Optional.of(own)
                : parts.values().stream().filter(part -> part.file() != 0).findFirst();
    }

    /** Why whole tables differ from the source until they are re-loaded. */
    public List<FailedLoad> problems() {
        return problems.entrySet().stream()
                .map(entry -> new FailedLoad(entry.getKey(), entry.getValue()))
                .toList();
    }

    /** Compares the known partitions with the catalog. For tables that are loaded. */
    public void look(Connection session) throws SQLException {
        if (known.isEmpty()) {
            return;
        }
        Set<TableId> selected = SelectedTables.names(session, group.migration());
        known.keySet().retainAll(selected);
        problems.keySet().retainAll(selected);
        // Copied before the catalog is read: a partition that is created in between is not missing.
        Map<Long, TableId> metBefore = Map.copyOf(met);
        List<Partition> now = Partition.read(session, group.migration());
        requireThere(metBefore, now);
        for (Map.Entry<TableId, Map<Long, Part>> entry : known.entrySet()) {
            TableId whole = entry.getKey();
            List<Partition> of =
                    now.stream().filter(part -> part.root().equals(whole)).toList();
            if (!problems.containsKey(whole) && group.migration().tables().follows(whole)) {
                requireAll(whole, entry.getValue(), of);
                of.stream()
                        .filter(part -> part.leaf() && part.unlogged())
                        .forEach(part -> problem(
                                whole,
                                "partition " + part.id() + " is unlogged, so its changes are not in the stream"));
                List<Partition> fresh = of.stream()
                        .filter(part -> !entry.getValue().containsKey(part.oid()))
                        .toList();
                if (!fresh.isEmpty() && identified(session, whole)) {
                    takeIn(session, whole, entry.getValue(), fresh, now);
                }
            }
        }
    }

    /** A partition may be created, written to, and detached or dropped between two looks. Its rows may be on the target. */
    private void requireThere(Map<Long, TableId> partitions, List<Partition> now) {
        Set<Long> there = new HashSet<>();
        now.forEach(partition -> there.add(partition.oid()));
        partitions.forEach((partition, whole) -> {
            if (!there.contains(partition) && known.containsKey(whole)) {
                problem(
                        whole,
                        "partition number " + partition
                                + " was detached or dropped, and its rows are still on the target");
            }
            met.remove(partition);
        });
    }

    private void requireAll(TableId whole, Map<Long, Part> parts, List<Partition> now) {
        Map<Long, String> attached = new HashMap<>();
        now.forEach(partition -> attached.put(partition.oid(), partition.attached()));
        for (Part part : parts.values()) {
            if (!Objects.equals(part.attached(), attached.get(part.oid()))) {
                problem(
                        whole,
                        "partition " + part.id() + " was detached or dropped, and its rows are still on the target");
            }
        }
    }

    /** Without a key the server refuses updates of a new partition until the partition has REPLICA IDENTITY FULL. */
    private boolean identified(Connection session, TableId whole) throws SQLException {
        List<CatalogTable> tables = SelectedTables.read(session, group.migration()).stream()
                .filter(table -> table.id().equals(whole))
                .toList();
        try {
            return TablePublishing.publish(session, group, tables, locks);
        } catch (DataException e) {
            problem(whole, e.explained());
            return false;
        }
    }

    /**
     * Accepts the new partitions whose rows are all in the stream. This holds for a partition that was created as a partition. A
     * table that was attached may have brought rows. It is accepted if it holds no row now, because then those rows are gone.
     */
    private void takeIn(
            Connection session, TableId whole, Map<Long, Part> parts, List<Partition> fresh, List<Partition> now)
            throws SQLException {
        Set<Long> partitions = new HashSet<>();
        now.forEach(partition -> partitions.add(partition.oid()));
        // Parents that were in the tree when a child was created in them. The topmost table is no partition.
        Set<Long> settled = new HashSet<>(parts.keySet());
        for (boolean more = true; more; ) {
            more = false;
            for (Partition partition : fresh) {
                boolean inTree = !partitions.contains(partition.parent()) || settled.contains(partition.parent());
                more |= partition.born() && inTree && settled.add(partition.oid());
            }
        }
        List<PartitionSeen> seen = new ArrayList<>();
        for (Partition partition : fresh) {
            if (partition.kind() == 'f') {
                problem(whole, "partition " + partition.id() + " is a foreign table, whose rows are not in the stream");
            } else if (partition.leaf() && !settled.contains(partition.oid())) {
                Optional<Boolean> rows = hasRows(session, partition.id());
                if (rows.isEmpty()) {
                    // Next time all together: a known parent must not make an unknown child count as known.
                    return;
                }
                if (rows.get()) {
                    problem(whole, "partition " + partition.id() + " was attached, and its rows are not in the stream");
                }
            }
            seen.add(
                    new PartitionSeen(whole, new Part(partition.oid(), partition.id(), partition.attached(), 0, null)));
        }
        if (!problems.containsKey(whole)) {
            control.partitions(seen);
            seen.forEach(one -> {
                LOG.info("{} is a new partition of {}", one.part().id(), whole);
                parts.put(one.part().oid(), one.part());
            });
        }
    }

    /** Empty = cannot be determined now. */
    private static Optional<Boolean> hasRows(Connection session, TableId partition) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute("SET lock_timeout = '1s'");
            try (var row = statement.executeQuery("SELECT EXISTS (SELECT FROM ONLY " + partition.quoted() + ")")) {
                row.next();
                return Optional.of(row.getBoolean(1));
            }
        } catch (SQLException e) {
            // A partition that the role may not read may hold rows.
            if (INSUFFICIENT_PRIVILEGE.equals(e.getSQLState())) {
                return Optional.of(true);
            }
            if (NOT_NOW.contains(String.valueOf(e.getSQLState()))) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void problem(TableId whole, String problem) {
        String text = problem + "; " + Remedies.reload(whole);
        if (problems.putIfAbsent(whole, text) == null) {
            LOG.error("{}: {}", whole, text);
        }
    }
}
