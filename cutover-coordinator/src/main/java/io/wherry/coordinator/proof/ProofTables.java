package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.Differences;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.LockLimit;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.whole.TableShapes;
import io.wherry.coordinator.whole.WholeTime;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/** Which tables are compared, and from which position on the witness names their changes. One thread reads the catalogs. */
final class ProofTables {
    private static final long CATALOG_MILLIS = 60_000;
    private static final long LOOK_MILLIS = 5_000;
    private static final long LOOK_TIMES = 50;
    private static final Duration LOCK = Duration.ofSeconds(2);
    private static final long LOCKED_MILLIS = 5_000;

    private final Flow flow;
    private final DirtyKeys dirty;
    private final Differences differences;
    private final AtomicLong rowsCompared = new AtomicLong();
    private final Map<TableId, Admitted> witnessed = new ConcurrentHashMap<>();
    private final Map<TableId, TableProof> tables = new ConcurrentSkipListMap<>();
    private final Set<TableId> forgotten = ConcurrentHashMap.newKeySet();
    private List<TableProof> bySize = List.of();
    private TableShapes shapes = TableShapes.NONE;
    private volatile boolean stale = true;
    private long read;
    private long lookAfter;
    private long lockedUntil;

    ProofTables(Flow flow, DirtyKeys dirty, Differences differences) {
        this.flow = flow;
        this.dirty = dirty;
        this.differences = differences;
    }

    /** @param oid of the table on the source that is meant; 0 = that which has the name when the catalogs are first read */
    void admit(TableId table, Lsn from, long oid) {
        witnessed.put(table, new Admitted(from, oid));
        stale = true;
    }

    /** @param from the witness names every change of a transaction that ends after this position */
    private record Admitted(Lsn from, long oid) {
        boolean isOf(TableProof known, CatalogTable source, CatalogTable target) {
            return oid == 0 ? known == null || !known.isOfOthers(source, target) : oid == source.oid();
        }
    }

    void forget(TableId table) {
        witnessed.remove(table);
        forgotten.add(table);
        stale = true;
    }

    /** The catalogs must be read again: a statement has met a table of another shape. */
    void suspect() {
        stale = true;
    }

    /** Whether the witness names the table's changes, and the proof knows since when. */
    boolean isWitnessed(TableId table) {
        return witnessed.containsKey(table) && !forgotten.contains(table);
    }

    Set<TableId> witnessed() {
        return Set.copyOf(witnessed.keySet());
    }

    boolean isProven(TableProof table) {
        return isWitnessed(table.id()) && table.proven();
    }

    Set<TableId> proven() {
        return all().stream().filter(this::isProven).map(TableProof::id).collect(Collectors.toCollection(TreeSet::new));
    }

    /** The table's proof; null when the catalogs do not list the table. */
    TableProof get(TableId table) {
        return tables.get(table);
    }

    Collection<TableProof> all() {
        return tables.values();
    }

    /** The smallest table first. */
    List<TableProof> bySize() {
        return bySize;
    }

    long rowsCompared() {
        return rowsCompared.get();
    }

    /**
     * Reads the catalogs when this is due.
     *
     * @return false when another session's lock prevents that. Then what is known is older, and no pass may rely on it
     */
    boolean refresh(BothSides sides) throws SQLException {
        long began = MonotonicClock.millis();
        look(sides, began);
        if (!stale && began - read < CATALOG_MILLIS) {
            return true;
        }
        if (began < lockedUntil) {
            return false;
        }
        stale = false;
        boolean done = false;
        try {
            TableShapes before = shapes(sides);
            CatalogFacts facts = LockLimit.within(
                    LOCK,
                    () -> CatalogFacts.read(flow, sides.source(), sides.target()),
                    sides.source(),
                    sides.target());
            build(facts, new SqlSides(null, sides).now());
            // What has changed meanwhile may be in the facts or not.
            shapes = before;
            if (altered(shapes(sides))) {
                stale = true;
            }
            read = MonotonicClock.millis();
            done = true;
            return true;
        } catch (SQLException e) {
            if (!LockLimit.reached(e)) {
                throw e;
            }
            lockedUntil = MonotonicClock.millis() + LOCKED_MILLIS;
            return false;
        } finally {
            // Not "stale = !done": a table may have been forgotten meanwhile.
            if (!done) {
                stale = true;
            }
        }
    }

    /** So that a table that is altered is not called proven for long: the window would not rely on that, and compare it whole. */
    private void look(BothSides sides, long now) throws SQLException {
        if (!stale && now >= lookAfter) {
            // Not "stale |= …", which would forget what another thread says meanwhile.
            if (altered(shapes(sides))) {
                stale = true;
            }
            long ended = MonotonicClock.millis();
            lookAfter = ended + Math.max(LOOK_MILLIS, LOOK_TIMES * (ended - now));
        }
    }

    /** Whether a table that is compared has another shape. Others may come and go. */
    private boolean altered(TableShapes now) {
        return tables.values().stream().anyMatch(table -> table.table() != null && !agree(table.table(), now));
    }

    private boolean agree(ComparedTable table, TableShapes now) {
        return shapes.agreeOn(table.source().oid(), table.target().oid(), now)
                && (!table.readsFieldsOfTypes() || shapes.agreeOnFields(now));
    }

    /**
     * The tables whose statements fit both catalogs as they are now. For the window, in which nobody alters a table any more; before,
     * the next {@link #refresh} may be a minute away.
     */
    Set<TableId> current(BothSides sides) throws SQLException {
        TableShapes now = shapes(sides);
        return tables.values().stream()
                .filter(table -> table.table() != null && agree(table.table(), now))
                .map(TableProof::id)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private TableShapes shapes(BothSides sides) throws SQLException {
        boolean fields = tables.values().stream()
                .anyMatch(table -> table.table() != null && table.table().readsFieldsOfTypes());
        return TableShapes.read(sides.source(), sides.target(), sides.beside(), fields);
    }

    /** @param now read after the catalogs */
    private void build(CatalogFacts facts, Lsn now) {
        List<TableProof> all = new ArrayList<>();
        Set<TableId> gone = new TreeSet<>(tables.keySet());
        for (CatalogTable source : facts.tables()) {
            TableId id = source.id();
            TableProof known = tables.get(id);
            Admitted admitted = witnessed.get(id);
            if (admitted != null
                    && !admitted.isOf(known, source, facts.onTarget().get(id))) {
                // Nobody has said that the witness names the changes of the table that has this name now. The other way
                // round, who admits a table again may do so before its old namesake is seen to be gone.
                witnessed.remove(id, admitted);
            }
            if (forgotten.remove(id)
                    || known == null
                    || !known.isOf(source, facts.onTarget().get(id), facts.types())) {
                // What was named by another key, or of another table, goes. The mark that stays makes the pass begin
                // again.
                dirty.changedWhole(id, Lsn.ZERO);
                differences.forget(id);
                known = begin(facts, source, known == null ? Lsn.ZERO : now);
            }
            tables.put(id, known);
            all.add(known);
            gone.remove(id);
        }
        gone.forEach(id -> {
            witnessed.remove(id);
            tables.remove(id);
            differences.forget(id);
        });
        dirty.sizes().keySet().stream().filter(id -> !tables.containsKey(id)).forEach(dirty::collapse);
        bySize = List.copyOf(all);
    }

    private TableProof begin(CatalogFacts facts, CatalogTable source, Lsn now) {
        // So that a table whose pass takes hours is proven again before its proof is too old for a cutover.
        TableId id = source.id();
        Admitted admitted = witnessed.get(id);
        String problem = facts.problem(source);
        if (admitted == null || !problem.isEmpty()) {
            String why = problem.isEmpty() ? "the witness does not name its changes yet" : problem;
            TableProof unproven =
                    new TableProof(id, null, Lsn.ZERO, why, pauses(), wholeTime(), dirty, differences, rowsCompared);
            return unproven.withoutPass();
        }
        List<KeyColumn> key = facts.key(source);
        boolean ordered = !key.isEmpty() && key.get(0).ordered();
        CatalogTable target = facts.onTarget().get(id);
        boolean whole = !ordered && (source.partitioned() || target.partitioned());
        ComparedTable table = ComparedTable.of(source, target, whole ? List.of() : key, flow.migration(), facts);
        return new TableProof(
                id,
                table,
                Lsn.max(admitted.from(), now),
                "waits for its pass",
                pauses(),
                wholeTime(),
                dirty,
                differences,
                rowsCompared);
    }

    private WholeTime wholeTime() {
        return new WholeTime(flow.migration().verify().wholeWithin());
    }

    /** A proof that the window relies on must not become older than {@code verify.max-age}. */
    private Pauses pauses() {
        return new Pauses(flow.migration().verify().maxAge().toMillis() / 2);
    }
}
