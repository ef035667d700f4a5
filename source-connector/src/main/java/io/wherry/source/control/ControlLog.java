package io.wherry.source.control;

import io.wherry.contract.error.FencedException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import io.wherry.contract.record.RepairSecret;
import io.wherry.contract.record.SwitchDecided;
import io.wherry.source.control.ControlTopic.ChunkLoaded;
import io.wherry.source.control.ControlTopic.PartitionSeen;
import io.wherry.source.control.ControlTopic.SlotMade;
import io.wherry.source.control.ControlTopic.SourceIdentity;
import io.wherry.source.control.ControlTopic.Unloaded;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What earlier runs wrote to the control topic, taken record by record. Not safe for use by several threads. */
public final class ControlLog {
    private final List<LoadPlan> plans = new ArrayList<>();
    private final Map<TableId, ChunkLayout> cuts = new HashMap<>();
    /** For each table the chunks in Kafka since the table was last cut, with their epochs. */
    private final Map<TableId, TreeMap<Integer, Integer>> chunks = new HashMap<>();

    /** Partitions that were created after their whole table was cut. */
    private final Map<TableId, List<ChunkLayout.Part>> partitions = new HashMap<>();

    private Optional<SourceIdentity> source = Optional.empty();
    private Optional<SlotMade> slotMade = Optional.empty();
    private Optional<SwitchDecided> switched = Optional.empty();
    private Optional<RepairSecret> repairSecret = Optional.empty();
    private boolean slotWanted;

    public void see(ConsumerRecord<byte[], byte[]> record) {
        switch (record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8)) {
            case LoadPlan.KEY -> plans.add(Json.read(record, LoadPlan.class));
            case ControlTopic.CUT -> {
                ChunkLayout cut = Json.read(record, ChunkLayout.class);
                forget(cut.table());
                cuts.put(cut.table(), cut);
            }
            case ControlTopic.CHUNK_LOADED -> {
                ChunkLoaded chunk = Json.read(record, ChunkLoaded.class);
                chunks.computeIfAbsent(chunk.table(), table -> new TreeMap<>()).put(chunk.chunk(), chunk.epoch());
            }
            case ControlTopic.PARTITION -> {
                PartitionSeen seen = Json.read(record, PartitionSeen.class);
                partitions
                        .computeIfAbsent(seen.root(), table -> new ArrayList<>())
                        .add(seen.part());
            }
            case ControlTopic.UNLOADED ->
                forget(Json.read(record, Unloaded.class).table());
            case ControlTopic.SLOT_MADE -> {
                slotMade = Optional.of(Json.read(record, SlotMade.class));
                slotWanted = false;
            }
            case Order.KEY -> follow(Json.read(record, Order.class));
            case SwitchDecided.KEY -> switched = Optional.of(Json.read(record, SwitchDecided.class));
            case RepairSecret.KEY -> repairSecret = Optional.of(Json.read(record, RepairSecret.class));
            case ControlTopic.SOURCE -> {
                if (source.isEmpty()) {
                    source = Optional.of(Json.read(record, SourceIdentity.class));
                }
            }
            default -> {
                // A record that only other readers need.
            }
        }
    }

    private void follow(Order order) {
        if (order.kind() != Order.Kind.RELOAD) {
            return;
        }
        if (order.table() != null) {
            forget(order.table());
        } else {
            cuts.clear();
            chunks.clear();
            partitions.clear();
            slotWanted = true;
        }
    }

    private void forget(TableId table) {
        cuts.remove(table);
        chunks.remove(table);
        partitions.remove(table);
    }

    /** The database with which the migration started. */
    public Optional<SourceIdentity> source() {
        return source;
    }

    /** The secret that proves the coordinator's repairs; empty = none was ever ordered. */
    public Optional<RepairSecret> repairSecret() {
        return repairSecret;
    }

    /** The switch of a cutover to the target: after it nothing more may be captured. */
    public Optional<SwitchDecided> switched() {
        return switched;
    }

    /**
     * Must be called before a topic is created, and after a producer has been initialized. The coordinator first writes the record
     * of the switch, and then fences the producers. So a producer that can write after the fence finds the record.
     *
     * @return this
     * @throws FencedException when a cutover has switched to the target
     */
    public ControlLog requireNoSwitch() {
        if (switched.isPresent()) {
            throw new FencedException(
                    "capture", "the source", "the cutover has switched to the target", "Nothing more is captured");
        }
        return this;
    }

    public List<LoadPlan> plans() {
        return plans;
    }

    /**
     * The tables that are completely in Kafka, with the number of the file that held the rows. If the table has another file later,
     * the table was rewritten.
     */
    public Map<TableId, Long> loaded() {
        Map<TableId, LoadPlan.Table> planned = new HashMap<>();
        Map<TableId, Integer> epochs = new HashMap<>();
        for (LoadPlan plan : plans) {
            for (LoadPlan.Table table : plan.tables()) {
                planned.put(table.id(), table);
                epochs.put(table.id(), plan.epoch());
            }
        }
        Map<TableId, Long> loaded = new HashMap<>();
        chunks.forEach((table, done) -> {
            ChunkLayout cut = cuts.get(table);
            if (cut != null && planned.containsKey(table)) {
                boolean whole = done.headMap(cut.size()).size() == cut.size();
                boolean current = planned.get(table).resumed() == null
                        || epochs.get(table).equals(done.get(cut.size()));
                if (whole && current) {
                    loaded.put(table, cut.file());
                }
            }
        });
        return loaded;
    }

    /** The table of the source that was cut under each name, whether loaded or not. */
    public Map<TableId, Routes.Identity> identities() {
        Map<TableId, Routes.Identity> all = new HashMap<>();
        cuts.forEach((table, cut) -> all.put(table, new Routes.Identity(cut.oid(), cut.numbers())));
        return all;
    }

    /** For each whole table, the partitions whose rows are in its load or in the stream. */
    public Map<TableId, List<ChunkLayout.Part>> partitions() {
        Map<TableId, List<ChunkLayout.Part>> all = new HashMap<>();
        cuts.forEach((table, cut) -> all.put(table, new ArrayList<>(cut.parts())));
        partitions.forEach((table, more) ->
                all.computeIfAbsent(table, unknown -> new ArrayList<>()).addAll(more));
        return all;
    }

    /** For each table, how many partitions its change topic has by the last plan that names it. Exactly these are read. */
    public Map<TableId, Integer> plannedPartitions() {
        Map<TableId, Integer> planned = new HashMap<>();
        for (LoadPlan plan : plans) {
            plan.tables().forEach(table -> planned.put(table.id(), table.partitions()));
        }
        return planned;
    }

    public int lastEpoch() {
        return plans.stream().mapToInt(LoadPlan::epoch).max().orElse(0);
    }

    /** Whether the operator has ordered that all tables are re-loaded under a new slot, and the slot does not exist yet. */
    public boolean slotWanted() {
        return slotWanted;
    }

    /** Where a slot starts that replaced another slot. */
    public Optional<SlotMade> slotMade() {
        return slotMade;
    }

    /**
     * What a new load of the table can continue with.
     *
     * @param epoch of the last load plan that names the table
     * @param chunks in Kafka; at least one
     */
    public record Resumable(ChunkLayout cut, int epoch, SortedSet<Integer> chunks) {}

    /** @param endTransaction the first transaction that the present snapshot cannot know */
    public Optional<Resumable> resumable(
            CatalogTable table, ColumnNumbers numbers, long file, String filter, long endTransaction) {
        ChunkLayout cut = cuts.get(table.id());
        SortedSet<Integer> done = new TreeSet<>(
                cut == null
                        ? List.of()
                        : chunks.getOrDefault(table.id(), new TreeMap<>())
                                .headMap(cut.size())
                                .keySet());
        return !done.isEmpty() && cut.fits(table, numbers, file, filter, endTransaction)
                ? lastPlan(table.id()).map(plan -> new Resumable(cut, plan.epoch(), done))
                : Optional.empty();
    }

    private Optional<LoadPlan> lastPlan(TableId table) {
        return plans.stream()
                .filter(plan -> plan.tables().stream().anyMatch(t -> t.id().equals(table)))
                .reduce((earlier, later) -> later);
    }
}
