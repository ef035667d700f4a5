package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import io.wherry.contract.record.Position;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;

/** What Kafka shows of the source-connector's work, shared by the observers. Safe for use by several threads. */
public final class Progress {
    private final int groups;
    /** Of each capture group that has one. */
    private final Map<Integer, Position> positions = new HashMap<>();

    private final Map<TableId, LoadPlan.Table> tables = new TreeMap<>();
    private final Map<TableId, Integer> epochs = new TreeMap<>();
    /** Orders that this process has given and not read from Kafka yet. */
    private final List<Order> onTheirWay = new ArrayList<>();
    /** The last name under which each table of the source was planned. */
    private final Map<Long, TableId> names = new HashMap<>();

    private Set<TableId> gone = Set.of();
    private boolean hasPlan;
    private Lsn snapshot = Lsn.ZERO;

    /** @param flow whose capture groups have positions */
    public Progress(Flow flow) {
        groups = flow.groups().size();
    }

    /**
     * Makes several changes visible at once. Counterexample: two plans are read from the beginning. For a moment only the first is
     * known; all its tables are loaded, so the whole migration seems to be loaded.
     */
    synchronized void atOnce(Runnable changes) {
        changes.run();
    }

    /** A position read from Kafka; the topic gives those of a group in rising order. */
    synchronized void reached(int group, Position newer) {
        positions.put(group, newer);
        notifyAll();
    }

    /** Every source transaction that committed up to this LSN is in Kafka; empty while a group has no position. */
    synchronized Optional<Lsn> covered() {
        return positions.size() < groups
                ? Optional.empty()
                : positions.values().stream().map(Position::commitLsn).min(Comparator.naturalOrder());
    }

    /** A load plan was read; plans come in the order of their epochs. */
    public synchronized void planned(LoadPlan plan) {
        hasPlan = true;
        snapshot = plan.snapshotLsn();
        plan.tables().forEach(table -> epochs.put(table.id(), plan.epoch()));
        plan.tables().forEach(table -> tables.put(table.id(), table));
        plan.tables().stream().filter(table -> table.oid() != 0).forEach(table -> names.put(table.oid(), table.id()));
    }

    /**
     * An order is about to be written to Kafka. Counterexample without this call: a cutover that is requested right after the order
     * does not know the order, which is not read back yet.
     */
    public synchronized void giving(Order order) {
        onTheirWay.add(order);
    }

    /** The order could not be written. If it was written nevertheless, it will be read. */
    public synchronized void notGiven(Order order) {
        onTheirWay.remove(order);
    }

    /** A table that the operator wants re-loaded counts as not loaded, even before the load plan comes. */
    synchronized void ordered(Order order) {
        onTheirWay.remove(order);
        if (order.kind() == Order.Kind.RELOAD) {
            epochs.replaceAll((table, epoch) -> order.means(table) ? epoch + 1 : epoch);
        }
    }

    /** The least epoch of a load that counts, for each table. */
    public synchronized Map<TableId, Integer> epochs() {
        Map<TableId, Integer> least = new TreeMap<>(epochs);
        for (Order order : onTheirWay) {
            if (order.kind() == Order.Kind.RELOAD) {
                least.replaceAll((table, epoch) -> order.means(table) ? epoch + 1 : epoch);
            }
        }
        return Map.copyOf(least);
    }

    /** The same for the tables that are on the source: what the target must hold at a switch. */
    public synchronized Map<TableId, Integer> wanted() {
        Map<TableId, Integer> wanted = new TreeMap<>(epochs());
        wanted.keySet().retainAll(tables().keySet());
        return wanted;
    }

    /** These tables are not on the source any more, so they do not count. */
    synchronized void gone(Set<TableId> dropped) {
        gone = dropped;
    }

    /** Whether there is a load plan. The plan of a database without tables names no table. */
    public synchronized boolean hasLoadPlan() {
        return hasPlan;
    }

    /** The snapshot of the last load plan that was read; {@link Lsn#ZERO} without a plan. */
    synchronized Lsn snapshot() {
        return snapshot;
    }

    /** All tables that any plan has named. */
    public synchronized Set<TableId> planned() {
        return Set.copyOf(tables.keySet());
    }

    /** The tables of the source that are or will be loaded, by oid, each with the name under which its rows are carried. */
    public synchronized Map<Long, TableId> names() {
        Map<Long, TableId> present = new HashMap<>(names);
        present.entrySet().removeIf(entry -> tables.get(entry.getValue()).oid() != entry.getKey());
        return present;
    }

    /** The tables that are on the source. */
    public synchronized Map<TableId, LoadPlan.Table> tables() {
        Map<TableId, LoadPlan.Table> present = new TreeMap<>(tables);
        present.keySet().removeAll(gone);
        return Map.copyOf(present);
    }

    synchronized Set<TopicPartition> partitions() {
        Set<TopicPartition> partitions = new LinkedHashSet<>();
        for (LoadPlan.Table table : tables().values()) {
            for (int i = 0; i < table.partitions(); i++) {
                partitions.add(new TopicPartition(table.topic(), i));
            }
        }
        return partitions;
    }

    /** Waits until the positions of all groups cover the LSN, at most {@code wait}. Returns whether they do. */
    synchronized boolean awaitPosition(Lsn lsn, Duration wait) throws InterruptedException {
        long deadline = System.nanoTime() + wait.toNanos();
        while (covered().filter(reached -> !lsn.isAfter(reached)).isEmpty()) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return false;
            }
            wait(left);
        }
        return true;
    }
}
