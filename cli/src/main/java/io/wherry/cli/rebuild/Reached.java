package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Position;
import io.wherry.coordinator.watch.Drain;
import io.wherry.sink.state.TableState;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Up to which source commit a database that follows the topics has everything. A position is read first, then the ends of all change
 * partitions; once the checkpoints have reached these ends, everything up to the position is applied. Not safe for use by several
 * threads.
 */
final class Reached {
    private static final Place NOT_KNOWN = new Place(Lsn.ZERO, 0);
    private static final long EVERY_NANOS = 1_000_000_000L;

    private final Migration migration;
    private Place reached = NOT_KNOWN;
    private Place wanted;
    private Map<TopicPartition, Long> vector;
    /** The load of each table that {@code reached} and {@code wanted} are about. */
    private Map<TableId, Integer> loads = Map.of();

    private long askedNanos;

    /** @param commitMillis time of the commit on the source's clock, ms since 1970; 0 = not known */
    record Place(Lsn commitLsn, long commitMillis) {}

    Reached(Migration migration) {
        this.migration = migration;
    }

    /**
     * Takes the present state of the database.
     *
     * @param planned tables and the load that each must have
     */
    Place look(Standing standing, Map<TableId, Integer> planned) {
        Map<TableId, Integer> now = new TreeMap<>();
        planned.keySet().forEach(table -> now.put(table, loadEpoch(standing, table)));
        if (!now.equals(loads)) {
            // A table that is new or is loaded again does not have yet what it had, or should have, at that place.
            loads = now;
            wanted = null;
            reached = NOT_KNOWN;
        }
        if (wanted != null && isReached(standing, planned)) {
            reached = wanted;
            wanted = null;
        }
        if (wanted == null && (askedNanos == 0 || System.nanoTime() - askedNanos > EVERY_NANOS)) {
            askedNanos = System.nanoTime();
            ask(standing, planned);
        }
        return reached;
    }

    private static int loadEpoch(Standing standing, TableId table) {
        TableState state = standing.tables().get(table);
        return state == null ? 0 : state.loadEpoch();
    }

    private boolean isReached(Standing standing, Map<TableId, Integer> planned) {
        return planned.entrySet().stream().allMatch(table -> {
                    TableState state = standing.tables().get(table.getKey());
                    return state != null
                            && state.open()
                            && state.loadEpoch() >= table.getValue()
                            && standing.isLoaded(state);
                })
                && Drain.drained(vector, standing.checkpoints());
    }

    private void ask(Standing standing, Map<TableId, Integer> planned) {
        if (!standing.tables().keySet().containsAll(planned.keySet())) {
            // A new table has no partitions here yet.
            return;
        }
        Optional<Position> position =
                Positions.last(Flow.first(migration).groups().get(0));
        if (position.isEmpty()) {
            return;
        }
        List<TopicPartition> partitions = new ArrayList<>();
        planned.keySet().forEach(id -> {
            TableState table = standing.tables().get(id);
            IntStream.range(0, table.partitions())
                    .forEach(number -> partitions.add(new TopicPartition(table.topic(), number)));
        });
        // The ends of all records, committed or not: a commit is confirmed before its marker is in every partition.
        try (KafkaConsumer<byte[], byte[]> all =
                KafkaClients.consumer(migration, Map.of("isolation.level", "read_uncommitted"))) {
            vector = new HashMap<>(all.endOffsets(partitions));
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the ends of topics", e);
        }
        wanted = new Place(position.get().commitLsn(), position.get().commitMillis());
    }
}
