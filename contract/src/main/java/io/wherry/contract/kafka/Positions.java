package io.wherry.contract.kafka;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.Position;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.KafkaException;

/** Reads the last positions that the capture groups of a flow have written. */
public final class Positions {
    private Positions() {}

    /**
     * The group's last position in Kafka; empty before the first one.
     *
     * @throws io.wherry.contract.error.WherryException when Kafka does not answer, or holds something else there
     */
    public static Optional<Position> last(CaptureGroup group) {
        String topic = group.migration().topics().position();
        try (TopicTail tail = new TopicTail(group.migration(), topic, group.number())) {
            ConsumerRecord<byte[], byte[]> last = tail.last();
            return last == null ? Optional.empty() : Optional.of(Json.read(last, Position.class));
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the position", e);
        }
    }

    /** Whether every source transaction that committed at or before the LSN is in Kafka, whole, by the word of every group. */
    public static boolean cover(Flow flow, Lsn commitLsn) {
        return flow.groups().stream().allMatch(group -> last(group)
                .filter(position -> !commitLsn.isAfter(position.commitLsn()))
                .isPresent());
    }
}
