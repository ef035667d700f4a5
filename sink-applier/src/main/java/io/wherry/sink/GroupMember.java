package io.wherry.sink;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.sink.state.GroupOffsets;
import io.wherry.sink.state.StopSignal;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The member of the consumer group of the migration, so that Kafka's own tools show who applies, and the true lag. The member reads
 * no records; it commits {@link GroupOffsets}. What fails here is tried again, and never stops the applying.
 */
final class GroupMember {
    private static final Logger LOG = LoggerFactory.getLogger(GroupMember.class);
    /** One name for all instances: the broker puts the newest in the place of a dead or stalled one at once. */
    private static final String INSTANCE = "wherry-sink";

    private static final Duration POLL = Duration.ofMillis(50);
    private static final long LOOK_NANOS = Duration.ofSeconds(1).toNanos();
    private static final Duration FIRST_PAUSE = Duration.ofMillis(250);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(15);
    private static final Duration CLOSE = Duration.ofSeconds(2);
    // The broker keeps a group, and the offsets of one call, in one record each: 1 MiB unless configured.
    private static final int LARGEST_SUBSCRIPTION = 400_000;
    private static final int OFFSETS_A_CALL = 1_000;

    private final Migration migration;
    private final WriterSessions sessions;
    private final GroupOffsets offsets;
    private final StopSignal stop;
    private final Failpoints failpoints;
    private final Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);

    /** What the broker was given and has not refused. */
    private final Map<TopicPartition, OffsetAndMetadata> given = new HashMap<>();

    private Set<String> topics = Set.of();
    private boolean joined;
    private Exception refusal;

    /** @param sessions where to open a session for reading checkpoints */
    GroupMember(
            Migration migration,
            WriterSessions sessions,
            GroupOffsets offsets,
            StopSignal stop,
            Failpoints failpoints) {
        this.migration = migration;
        this.sessions = sessions;
        this.offsets = offsets;
        this.stop = stop;
        this.failpoints = failpoints;
    }

    /** Is the member until stopped, or until another instance has taken over. */
    void run() {
        while (!stop.isRequested()) {
            try (Connection target = sessions.open("group")) {
                KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, settings());
                try {
                    belong(target, consumer);
                } finally {
                    close(consumer);
                }
            } catch (FencedException e) {
                LOG.debug("The group's member ends: {}", e.getMessage());
                return;
            } catch (SQLException | RuntimeException e) {
                pause(e);
            }
        }
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new HashMap<>();
        settings.put("group.id", migration.name());
        settings.put("group.instance.id", INSTANCE);
        settings.put("group.protocol", "classic");
        settings.put("partition.assignment.strategy", RangeAssignor.class.getName());
        settings.put("client.id", "wherry-" + migration.name() + "-sink");
        // Every partition is paused, but a consumer wants a position for it all the same.
        settings.put("auto.offset.reset", "latest");
        return settings;
    }

    private void belong(Connection target, KafkaConsumer<byte[], byte[]> consumer) throws SQLException {
        topics = Set.of();
        joined = false;
        refusal = null;
        given.clear();
        long looked = System.nanoTime() - LOOK_NANOS;
        while (!stop.isRequested()) {
            if (System.nanoTime() - looked >= LOOK_NANOS) {
                looked = System.nanoTime();
                offsets.look(target);
                subscribe(consumer);
            }
            if (topics.isEmpty()) {
                stop.await(POLL);
                continue;
            }
            consumer.poll(POLL);
            if (refusal != null) {
                refused();
            } else if (joined) {
                commit(consumer);
            }
        }
        commit(consumer);
    }

    /**
     * Subscribes to the topics that have checkpoints. With thousands of tables of long names, only to as many as the broker can note
     * for a group; the others have their offsets too, and the tools show no member beside them.
     */
    private void subscribe(KafkaConsumer<byte[], byte[]> consumer) {
        Set<String> wanted = new TreeSet<>();
        int size = 0;
        for (String topic : new TreeSet<>(
                offsets.current().keySet().stream().map(TopicPartition::topic).toList())) {
            size += 2 * topic.length() + 20;
            if (size <= LARGEST_SUBSCRIPTION || topic.equals(migration.topics().load())) {
                wanted.add(topic);
            }
        }
        if (wanted.equals(topics) || wanted.isEmpty()) {
            return;
        }
        topics = wanted;
        consumer.subscribe(wanted, new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                joined = false;
            }

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                consumer.pause(partitions);
                joined = true;
                backoff.reset();
            }
        });
    }

    private void commit(KafkaConsumer<byte[], byte[]> consumer) {
        Map<TopicPartition, OffsetAndMetadata> call = new HashMap<>();
        for (Map.Entry<TopicPartition, OffsetAndMetadata> entry :
                offsets.current().entrySet()) {
            if (!entry.getValue().equals(given.get(entry.getKey()))) {
                call.put(entry.getKey(), entry.getValue());
            }
            if (call.size() == OFFSETS_A_CALL) {
                give(consumer, call);
                call = new HashMap<>();
            }
        }
        if (!call.isEmpty()) {
            give(consumer, call);
        }
    }

    private void give(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, OffsetAndMetadata> call) {
        failpoints.before(Effect.GROUP_OFFSETS);
        given.putAll(call);
        consumer.commitAsync(call, (committed, failure) -> {
            if (failure != null) {
                given.keySet().removeAll(committed.keySet());
                refusal = failure;
            }
        });
        failpoints.after(Effect.GROUP_OFFSETS);
    }

    /** A rebalance or the loss of a topic passes, and the next call brings these offsets again. */
    private void refused() {
        Exception failure = refusal;
        refusal = null;
        if (failure instanceof RetriableException
                || failure instanceof CommitFailedException
                || failure instanceof RebalanceInProgressException) {
            LOG.debug("Group offsets were not committed: {}", failure.toString());
            stop.await(FIRST_PAUSE);
        } else {
            throw new KafkaException(failure.getMessage(), failure);
        }
    }

    private void pause(Exception failure) {
        if (stop.isRequested()) {
            return;
        }
        Duration pause = backoff.next();
        LOG.warn(
                "The consumer group {} shows no present offsets: {}. Applying continues; trying again in {} ms",
                migration.name(),
                failure.getMessage(),
                pause.toMillis());
        LOG.debug("Cause of the retry", failure);
        stop.await(pause);
    }

    /** A member that leaves in order is gone at once. One that only tries again stays, so that its place is kept. */
    private void close(KafkaConsumer<byte[], byte[]> consumer) {
        consumer.close(CloseOptions.timeout(CLOSE)
                .withGroupMembershipOperation(
                        stop.isRequested()
                                ? GroupMembershipOperation.LEAVE_GROUP
                                : GroupMembershipOperation.REMAIN_IN_GROUP));
    }
}
