package io.wherry.sink;

import io.wherry.contract.DataException;
import io.wherry.contract.Effect;
import io.wherry.contract.Failpoints;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.Migration;
import io.wherry.contract.SchemaRegistry;
import io.wherry.contract.TableId;
import io.wherry.contract.WherryException;
import io.wherry.sink.Checkpoints.Move;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Applies its share of the change partitions, one batch over all its tables a transaction. It reads a partition only while the
 * table is open for changes, from the checkpoint on.
 */
final class ChangeWorker {
    private static final Logger LOG = LoggerFactory.getLogger(ChangeWorker.class);
    private static final Duration POLL = Duration.ofMillis(50);

    private final Migration migration;
    private final int number;
    private final Connection target;
    private final boolean checked;
    private final Checkpoints checkpoints;
    private final Barriers barriers;
    private final BarrierWatch watch;
    private final Supplier<Map<TableId, Relation>> relations;
    private final StopSignal stop;
    private final Failpoints failpoints;
    private final ChangeDecoder decoder;
    private final TableWriter writer;
    private final TablesAhead ahead;
    private final Map<TopicPartition, Reading> readings = new HashMap<>();
    private Map<TableId, Relation> seen = Map.of();

    /**
     * @param number of this worker, from 0
     * @param target a session in transaction mode that is this worker's alone
     * @param checked whether the session checks deferrable constraints; as a replica it does not
     */
    ChangeWorker(
            Migration migration,
            SchemaRegistry registry,
            int number,
            Connection target,
            boolean checked,
            long epoch,
            Supplier<Map<TableId, Relation>> relations,
            StopSignal stop,
            Failpoints failpoints) {
        this.migration = migration;
        this.number = number;
        this.target = target;
        this.checked = checked;
        this.checkpoints = new Checkpoints(target, epoch);
        this.barriers = new Barriers(checkpoints);
        this.watch = new BarrierWatch(barriers);
        this.relations = relations;
        this.stop = stop;
        this.failpoints = failpoints;
        this.decoder = new ChangeDecoder(registry);
        this.writer = new TableWriter(target);
        this.ahead = new TablesAhead(target, registry, decoder, writer);
    }

    /** Applies until stopped. */
    void run() throws SQLException {
        Map<String, Object> settings = new HashMap<>(BatchReader.FETCH);
        settings.put("group.id", migration.name());
        // A fetch that waits at the broker does not know of partitions assigned meanwhile.
        settings.put("fetch.max.wait.ms", 100);
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, settings)) {
            BatchReader reader = new BatchReader(consumer, decoder, readings);
            while (!stop.isRequested()) {
                assign(consumer);
                if (readings.isEmpty()) {
                    stop.await(POLL);
                } else {
                    pass(consumer, reader);
                }
            }
        }
    }

    private void pass(KafkaConsumer<byte[], byte[]> consumer, BatchReader reader) throws SQLException {
        lookAtBarriers(consumer);
        ChangeBatch batch;
        try {
            batch = reader.read(watch.pause(readings.values(), POLL));
        } catch (InvalidOffsetException e) {
            for (TopicPartition partition : e.partitions()) {
                Reading lost = readings.get(partition);
                // Stopping a table ends the reading of all its partitions.
                if (lost != null) {
                    stopTable(lost.relation(), missing(partition));
                }
            }
            return;
        }
        for (Map.Entry<Relation, DataException> refused : batch.refused().entrySet()) {
            stopTable(refused.getKey(), refused.getValue());
        }
        if (batch.read() == 0) {
            ahead.bind(POLL);
        }
        apply(batch);
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (Move move : batch.moves()) {
            Reading reading = readings.get(move.partition());
            reading.moved(move.nextOffset());
            offsets.put(move.partition(), reading.groupOffset());
        }
        if (!offsets.isEmpty()) {
            failpoints.before(Effect.GROUP_OFFSETS);
            consumer.commitAsync(offsets, (committed, failure) -> {
                if (failure != null) {
                    LOG.debug("Group offsets for lag tools were not committed: {}", failure.toString());
                }
            });
            failpoints.after(Effect.GROUP_OFFSETS);
        }
    }

    private void lookAtBarriers(KafkaConsumer<byte[], byte[]> consumer) throws SQLException {
        watch.look(readings.values(), new BarrierWatch.Found() {
            @Override
            public void passed(Reading reading) {
                consumer.seek(reading.partition(), reading.checkpoint());
            }

            @Override
            public void contradicted(Relation relation, DataException failure) throws SQLException {
                stopTable(relation, failure);
            }
        });
    }

    /** Begins to read partitions of tables that opened, and leaves those of tables that closed or are loaded anew. */
    private void assign(KafkaConsumer<byte[], byte[]> consumer) throws SQLException {
        Map<TableId, Relation> current = relations.get();
        boolean changed = readings.size() != consumer.assignment().size();
        if (current == seen && !changed) {
            return;
        }
        seen = current;
        changed |= readings.values().removeIf(reading -> {
            Relation relation = current.get(reading.relation().table());
            return relation == null
                    || !relation.open()
                    || relation.loadEpoch() != reading.relation().loadEpoch();
        });
        Set<TopicPartition> begun = new HashSet<>();
        for (Relation relation : current.values()) {
            for (int i = 0; relation.open() && i < relation.partitions(); i++) {
                TopicPartition partition = new TopicPartition(relation.topic(), i);
                if (!isMine(partition) || readings.containsKey(partition)) {
                    continue;
                }
                if (Relations.isLoaded(target, relation)) {
                    String generation = LostCommits.generation(target, relation.loadEpoch());
                    // Checkpoints and barriers of one moment: partition 0 may move both meanwhile.
                    readings.put(partition, new Reading(relation, partition, generation, barriers.read(relation)));
                    writer.forget(relation.table());
                    ahead.opened(relation);
                    begun.add(partition);
                } else {
                    // Ready too early; chunks do not change the relation, so ask again.
                    seen = Map.of();
                }
            }
        }
        target.rollback();
        if (changed || !begun.isEmpty()) {
            consumer.assign(readings.keySet());
            begun.forEach(partition ->
                    consumer.seek(partition, readings.get(partition).checkpoint()));
        }
    }

    private boolean isMine(TopicPartition partition) {
        int hash = 31 * partition.topic().hashCode() + partition.partition();
        return Math.floorMod(hash ^ hash >>> 16, migration.apply().workers()) == number;
    }

    private void apply(ChangeBatch batch) throws SQLException {
        Set<TableId> singly = new HashSet<>();
        while (!batch.isEmpty()) {
            Relation current = null;
            boolean checking = false;
            try {
                Set<TableId> stale = batch.hold(target);
                if (stale.isEmpty()) {
                    deferChecks(true);
                    for (ChangeBatch.Part part : batch.parts()) {
                        current = part.relation();
                        boolean ordered = current.partitions() == 1;
                        writer.apply(current.table(), ordered, part.changes(), singly.contains(current.table()));
                    }
                    current = null;
                    checking = true;
                    deferChecks(false);
                    checking = false;
                    batch.count(target);
                    checkpoints.move(batch.moves());
                    batch.pass(barriers);
                    failpoints.before(Effect.BATCH_APPLIED);
                    target.commit();
                    failpoints.after(Effect.BATCH_APPLIED);
                    return;
                }
                rollBack();
                stale.forEach(table -> leave(batch, table));
            } catch (SQLException | DataException e) {
                rollBack();
                current = checking ? batch.violated(e) : current;
                String object = current == null ? "batch" : current.table().toString();
                WherryException failure = Failures.explain("apply changes to", object, e);
                if (!(failure instanceof DataException) || current == null) {
                    throw failure;
                }
                if (checking && holdBack(batch, current.table())) {
                    continue;
                }
                // The order within a batch is ours: with the events one by one as they came, the refusal is the data's.
                if (!singly.add(current.table())) {
                    leave(batch, current.table());
                    stopTable(current, failure);
                }
            }
        }
    }

    private void rollBack() throws SQLException {
        target.rollback();
        writer.rolledBack();
    }

    /** What the source checked at the end of a statement or a transaction cannot be checked row by row here. */
    private void deferChecks(boolean deferred) throws SQLException {
        if (checked) {
            try (Statement statement = target.createStatement()) {
                statement.execute("SET CONSTRAINTS ALL " + (deferred ? "DEFERRED" : "IMMEDIATE"));
            }
        }
    }

    private boolean holdBack(ChangeBatch batch, TableId table) {
        return readings.values().stream()
                .filter(reading -> reading.relation().table().equals(table))
                .anyMatch(reading -> reading.holdBack(batch));
    }

    /** Takes a table out of the batch and stops reading it; when it opens again it begins from its checkpoint. */
    private void leave(ChangeBatch batch, TableId table) {
        batch.drop(table);
        readings.values().removeIf(reading -> reading.relation().table().equals(table));
    }

    private void stopTable(Relation relation, WherryException failure) throws SQLException {
        TableId table = relation.table();
        readings.values().removeIf(reading -> reading.relation().table().equals(table));
        LOG.error("Changes of {} are stopped: {}", table, failure.explained(), failure);
        Relations.stop(target, table, relation.loadEpoch(), failure.explained(), checkpoints.epoch());
        target.commit();
    }

    private static DataException missing(TopicPartition partition) {
        return new DataException(
                "read changes",
                partition.toString(),
                "the topic no longer holds the records after the checkpoint",
                "Its retention must be unlimited; load the table again");
    }
}
