package io.wherry.sink.load;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LoadRecords;
import io.wherry.contract.record.LoadRecords.Block;
import io.wherry.contract.record.LoadRecords.ChunkHeader;
import io.wherry.contract.record.LoadRecords.ChunkTrailer;
import io.wherry.contract.record.LoadRecords.LoadRecord;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.sink.state.Checkpoints;
import io.wherry.sink.state.Checkpoints.Move;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.GroupOffsets;
import io.wherry.sink.state.StopSignal;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.TableStates;
import io.wherry.sink.table.TargetCatalog;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Applies one partition of the load topic, one transaction for each chunk. A chunk whose table is stopped keeps the checkpoint at
 * the start of the chunk, while later chunks of other tables continue. Once the operator has cleared the table, the lane reads
 * again from the checkpoint and skips the chunks that are on the target.
 */
public final class LoadLane {
    private static final Logger LOG = LoggerFactory.getLogger(LoadLane.class);
    private static final Duration POLL = Duration.ofMillis(100);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(250);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(16);

    // A lane holds what one fetch brought and the fetch after it; all lanes together stay below 32 MiB.
    private static final int FETCHED_BYTES = 16 << 20;
    private static final int LONGEST_FETCH_BYTES = 1 << 20;

    // KEY SHARE until the chunk commits: a new load of the table waits for the chunk, or comes first, and then the
    // epoch differs.
    private static final String STATE = """
            SELECT load_epoch, stopped_because IS NOT NULL,
                   EXISTS (SELECT FROM wherry.chunk c WHERE c.schema_name = r.schema_name AND c.table_name = r.table_name
                              AND c.load_epoch = ? AND c.chunk = ?)
              FROM wherry.relation r WHERE schema_name = ? AND table_name = ? FOR KEY SHARE OF r
            """;

    private final Migration migration;
    private final Connection target;
    private final Checkpoints checkpoints;
    private final Supplier<Map<TableId, TableState>> relations;
    private final Predicate<TableId> wanted;
    private final StopSignal stop;
    private final TopicPartition partition;
    private final GroupOffsets offsets;
    private final Failpoints failpoints;

    private long checkpoint;
    private final Set<TableId> held = new HashSet<>();
    private ChunkHeader open;
    private long openOffset;
    private long failedOffset = -1;
    private final Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
    private int failures;
    private ChunkWriter writer;

    /** @param target a session in transaction mode that only this lane uses @param wanted tables that are loaded at all */
    public LoadLane(
            Migration migration,
            Connection target,
            long epoch,
            Supplier<Map<TableId, TableState>> relations,
            Predicate<TableId> wanted,
            StopSignal stop,
            int partition,
            GroupOffsets offsets,
            Failpoints failpoints) {
        this.migration = migration;
        this.target = target;
        this.checkpoints = new Checkpoints(target, epoch);
        this.relations = relations;
        this.wanted = wanted;
        this.stop = stop;
        this.offsets = offsets;
        this.failpoints = failpoints;
        this.partition = new TopicPartition(migration.topics().load(), partition);
    }

    /** Applies until stopped. */
    public void run() throws SQLException {
        int fetch =
                Math.min(LONGEST_FETCH_BYTES, FETCHED_BYTES / migration.load().readers());
        Map<String, Object> settings =
                Map.of("max.partition.fetch.bytes", fetch, "fetch.max.bytes", fetch, "max.poll.records", 16);
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, settings)) {
            consumer.assign(List.of(partition));
            checkpoint = checkpoints.read(partition.topic()).get(partition).nextOffset();
            target.rollback();
            consumer.seek(partition, checkpoint);
            while (!stop.isRequested()) {
                if (open == null && heldIsCleared()) {
                    held.clear();
                    consumer.seek(partition, checkpoint);
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    if (stop.isRequested()) {
                        break;
                    }
                    if (!handle(record)) {
                        consumer.seek(partition, failedOffset);
                        break;
                    }
                }
                if (held.isEmpty() && (open == null || isVoid(open))) {
                    offsets.readUpTo(partition, consumer.position(partition));
                }
            }
            close();
        }
    }

    /** Whether the chunk is not needed: its reader has died, and its rows came to the target otherwise. */
    private boolean isVoid(ChunkHeader chunk) {
        TableState relation = relations.get().get(chunk.table());
        return relation != null
                && (relation.loadEpoch() > chunk.epoch() || relation.loadEpoch() == chunk.epoch() && relation.ready());
    }

    private boolean heldIsCleared() {
        return held.stream().anyMatch(table -> {
            TableState relation = relations.get().get(table);
            return relation != null && !relation.stopped();
        });
    }

    /** @return false when the lane must read the chunk again from its header */
    private boolean handle(ConsumerRecord<byte[], byte[]> record) throws SQLException {
        LoadRecord decoded = LoadRecords.parse(record);
        try {
            if (decoded instanceof ChunkHeader header) {
                // A header while a chunk is open: the reader of that chunk died before the trailer.
                close();
                openOffset = record.offset();
                begin(header);
            } else if (decoded instanceof Block block && writer != null) {
                writer.write(block.bytes());
            } else if (decoded instanceof ChunkTrailer trailer && open != null) {
                finish(trailer, record.offset() + 1);
            }
            return true;
        } catch (SQLException | DataException e) {
            return fail(e);
        }
    }

    private void begin(ChunkHeader header) throws SQLException {
        open = header;
        while (!stop.isRequested() && wanted.test(header.table())) {
            ChunkWriter.lock(target, header);
            if (decide(header)) {
                return;
            }
            // The plan is in the control topic before the chunk is in the load topic; the plan is only not on the
            // target yet.
            target.rollback();
            stop.await(POLL);
        }
    }

    /** Starts to write the chunk or leaves the chunk out; false while the chunk's load is not known. */
    private boolean decide(ChunkHeader header) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(STATE)) {
            statement.setInt(1, header.epoch());
            statement.setInt(2, header.chunk());
            statement.setString(3, header.table().schema());
            statement.setString(4, header.table().table());
            try (ResultSet row = statement.executeQuery()) {
                boolean known = row.next();
                boolean in = known && row.getInt(1) == header.epoch() && row.getBoolean(3);
                if (known && row.getBoolean(2) && row.getInt(1) <= header.epoch() && !in) {
                    target.rollback();
                    held.add(header.table());
                    return true;
                }
                if (!known || row.getInt(1) < header.epoch()) {
                    return isHeldBack(header.table());
                }
                decide(header, row.getInt(1), row.getBoolean(3));
                return true;
            }
        }
    }

    /**
     * The load of a new table is not known while the table does not exist on the target; chunks of other tables must not wait for
     * that table.
     */
    private boolean isHeldBack(TableId table) throws SQLException {
        boolean missing = !TargetCatalog.exists(target, table);
        if (missing) {
            target.rollback();
            held.add(table);
        }
        return missing;
    }

    private void decide(ChunkHeader header, int loadEpoch, boolean applied) throws SQLException {
        if (loadEpoch > header.epoch() || applied) {
            target.rollback();
        } else {
            writer = new ChunkWriter(target, header);
        }
    }

    private void finish(ChunkTrailer trailer, long next) throws SQLException {
        boolean matches = trailer.table().equals(open.table())
                && trailer.epoch() == open.epoch()
                && trailer.chunk() == open.chunk();
        if (!matches) {
            close();
            return;
        }
        if (writer != null) {
            writer.finish(trailer);
        }
        if (held.isEmpty()) {
            checkpoints.move(List.of(new Move(partition, checkpoint, next, Lsn.ZERO)));
        } else {
            checkpoints.holdCurrent();
        }
        failpoints.before(Effect.CHUNK_APPLIED);
        target.commit();
        failpoints.after(Effect.CHUNK_APPLIED);
        checkpoint = held.isEmpty() ? next : checkpoint;
        LOG.debug("Chunk {} of {} {}", open.chunk(), open.table(), writer == null ? "skipped" : "loaded");
        open = null;
        writer = null;
    }

    private void close() throws SQLException {
        if (writer != null) {
            writer.cancel();
        }
        target.rollback();
        open = null;
        writer = null;
    }

    /** @return false when the lane must try the chunk again; true when the table is stopped */
    private boolean fail(Exception e) throws SQLException {
        if (open == null) {
            throw Failures.explain("load from", partition.toString(), e);
        }
        TableId table = open.table();
        WherryException failure = Failures.explain("load", table + " chunk " + open.chunk(), e);
        if (!(failure instanceof DataException)) {
            throw failure;
        }
        int loadEpoch = open.epoch();
        if (openOffset != failedOffset) {
            failures = 0;
            backoff.reset();
        }
        failures++;
        failedOffset = openOffset;
        close();
        if (failures <= migration.load().retries()) {
            LOG.warn("{}", Sentence.of(failure.explained(), "Trying again"));
            stop.await(backoff.next());
            return false;
        }
        failedOffset = -1;
        LOG.error("Load of {} is stopped: {}", table, failure.explained(), failure);
        TableStates.stop(target, table, loadEpoch, failure.explained(), checkpoints.epoch());
        target.commit();
        held.add(table);
        return true;
    }
}
