package io.wherry.sink.apply;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.sink.merge.ChangeBatch;
import io.wherry.sink.read.BarrierWatch;
import io.wherry.sink.read.ChangeDecoder;
import io.wherry.sink.read.PartitionCursor;
import io.wherry.sink.read.SourceTransactionEnds;
import io.wherry.sink.state.BarrierProgress;
import io.wherry.sink.state.Checkpoints.Move;
import io.wherry.sink.state.GroupOffsets;
import io.wherry.sink.state.StopSignal;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.TableStates;
import io.wherry.sink.state.Until;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Applies its share of the change partitions, one transaction for each batch over all its tables. It reads a partition only while
 * the table is open for changes, from the checkpoint on.
 */
public final class ChangeWorker {
    private static final Duration POLL = Duration.ofMillis(50);
    /** While the lane is busy, to notice its end soon. */
    private static final Duration SHORT_POLL = Duration.ofMillis(5);

    private final Flow flow;
    private final int number;
    private final BatchWriter writer;
    private final GiantLane lane;
    private final BarrierWatch watch;
    private final Supplier<Map<TableId, TableState>> relations;
    private final StopSignal stop;
    private final GroupOffsets offsets;
    private final Until until;
    private final ChangeDecoder decoder;
    private final SourceTransactionEnds ends;
    private final TablesAhead ahead;
    private final Map<TopicPartition, PartitionCursor> readings = new HashMap<>();
    private Map<TableId, TableState> seen = Map.of();

    /**
     * @param number of this worker, from 0
     * @param writer that only this worker uses
     * @param giants opens a second writer when the first giant value comes
     * @param offsets gets the checkpoints that have moved
     * @param until where applying ends
     */
    public ChangeWorker(
            Flow flow,
            SchemaRegistry registry,
            int number,
            BatchWriter writer,
            GiantLane.Opener giants,
            Supplier<Map<TableId, TableState>> relations,
            StopSignal stop,
            GroupOffsets offsets,
            Until until) {
        this.flow = flow;
        this.number = number;
        this.writer = writer;
        this.lane = new GiantLane("wherry-sink-giants-" + number, giants);
        this.watch = new BarrierWatch(writer.barriers());
        this.relations = relations;
        this.stop = stop;
        this.offsets = offsets;
        this.until = until;
        this.decoder = new ChangeDecoder(registry, flow.generation());
        this.ends = new SourceTransactionEnds(flow);
        this.ahead = new TablesAhead(writer.target(), registry, decoder, writer.tables());
    }

    /** Applies until stopped. */
    public void run() throws SQLException {
        Map<String, Object> settings = new HashMap<>(PartitionCursor.FETCH);
        // A fetch that waits at the broker does not know the partitions that were assigned in the meantime.
        settings.put("fetch.max.wait.ms", 100);
        try (lane;
                KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(flow.migration(), settings)) {
            BatchReader reader = new BatchReader(consumer, decoder, readings, lane);
            while (!stop.isRequested()) {
                // First, as the worker reads nothing of a table that the lane holds, and may have no other table.
                lookAtLane();
                assign(consumer);
                if (readings.isEmpty()) {
                    stop.await(POLL);
                } else {
                    pass(consumer, reader);
                }
            }
        }
    }

    private void lookAtLane() throws SQLException {
        Optional<GiantLane.Ended> giants = lane.ended();
        if (giants.isPresent()) {
            written(giants.get().batch(), giants.get().left());
        }
    }

    private void pass(KafkaConsumer<byte[], byte[]> consumer, BatchReader reader) throws SQLException {
        lookAtBarriers(consumer);
        ChangeBatch batch;
        try {
            batch = reader.read(watch.pause(readings.values(), lane.isBusy() ? SHORT_POLL : POLL));
        } catch (InvalidOffsetException e) {
            for (TopicPartition partition : e.partitions()) {
                PartitionCursor lost = readings.get(partition);
                // Stopping a table ends the reading of all its partitions.
                if (lost != null) {
                    stopTable(
                            lost.relation(), missing(partition, lost.relation().table()));
                }
            }
            return;
        }
        for (Map.Entry<TableState, DataException> refused : batch.refused().entrySet()) {
            stopTable(refused.getKey(), refused.getValue());
        }
        // A table that ends at an earlier commit may not get a later shape.
        if (batch.read() == 0 && !until.isSet()) {
            ahead.bind(POLL);
        }
        batch.takeGiants().ifPresent(giant -> lane.begin(giant, readingsOf(giant.tables())));
        written(batch, writer.apply(batch, readings.values()));
    }

    private List<PartitionCursor> readingsOf(Set<TableId> tables) {
        return readings.values().stream()
                .filter(reading -> tables.contains(reading.relation().table()))
                .toList();
    }

    private void written(ChangeBatch batch, Set<TableId> left) {
        leave(left);
        for (Move move : batch.moves()) {
            PartitionCursor reading = readings.get(move.partition());
            // The table may have closed while the lane was writing it.
            if (reading != null) {
                reading.moved(move.nextOffset());
                offsets.moved(move.partition(), reading.groupOffset());
            }
        }
    }

    private void lookAtBarriers(KafkaConsumer<byte[], byte[]> consumer) throws SQLException {
        List<PartitionCursor> here = readings.values().stream()
                .filter(reading -> !lane.holds(reading.relation().table()))
                .toList();
        watch.look(here, new BarrierWatch.Found() {
            @Override
            public void passed(PartitionCursor reading) {
                consumer.seek(reading.partition(), reading.checkpoint());
            }

            @Override
            public void contradicted(TableState relation, DataException failure) throws SQLException {
                stopTable(relation, failure);
            }
        });
    }

    /** Starts to read partitions of tables that opened, and leaves those of tables that closed or are being re-loaded. */
    private void assign(KafkaConsumer<byte[], byte[]> consumer) throws SQLException {
        Map<TableId, TableState> current = relations.get();
        boolean changed = readings.size() != consumer.assignment().size();
        if (current == seen && !changed) {
            return;
        }
        seen = current;
        changed |= readings.values().removeIf(reading -> {
            TableState relation = current.get(reading.relation().table());
            return relation == null
                    || !relation.open()
                    || relation.loadEpoch() != reading.relation().loadEpoch();
        });
        Set<TopicPartition> begun = new HashSet<>();
        for (TableState relation : current.values()) {
            for (int i = 0; relation.open() && i < relation.partitions(); i++) {
                TopicPartition partition = new TopicPartition(relation.topic(), i);
                if (!isMine(partition) || readings.containsKey(partition)) {
                    continue;
                }
                if (!lane.holds(relation.table()) && TableStates.isLoaded(writer.target(), relation)) {
                    String loadMark = GroupOffsets.loadMark(writer.target(), relation.loadEpoch());
                    // Checkpoints and barriers as of one moment: partition 0 may move both in the meantime.
                    BarrierProgress standing = writer.barriers().read(relation);
                    readings.put(partition, new PartitionCursor(relation, partition, loadMark, standing, ends, until));
                    writer.tables().forget(relation.table());
                    ahead.opened(relation);
                    begun.add(partition);
                } else {
                    // Not loaded yet, or the lane still writes values of an earlier reading. Neither changes the
                    // relation, so check again.
                    seen = Map.of();
                }
            }
        }
        writer.target().rollback();
        if (changed || !begun.isEmpty()) {
            consumer.assign(readings.keySet());
            begun.forEach(partition ->
                    consumer.seek(partition, readings.get(partition).checkpoint()));
        }
    }

    private boolean isMine(TopicPartition partition) {
        int hash = 31 * partition.topic().hashCode() + partition.partition();
        return Math.floorMod(hash ^ hash >>> 16, flow.migration().apply().workers()) == number;
    }

    private void stopTable(TableState relation, WherryException failure) throws SQLException {
        leave(Set.of(relation.table()));
        writer.stop(relation, failure);
    }

    /** Stops reading the tables; when one opens again, its reading starts from its checkpoint. */
    private void leave(Set<TableId> tables) {
        readings.values().removeIf(reading -> tables.contains(reading.relation().table()));
    }

    private static DataException missing(TopicPartition partition, TableId table) {
        return new DataException(
                "read changes",
                partition.toString(),
                "the topic no longer holds the records after the checkpoint",
                "Set the topic's retention to unlimited, then " + Remedies.reload(table));
    }
}
