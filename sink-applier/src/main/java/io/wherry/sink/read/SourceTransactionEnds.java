package io.wherry.sink.read;

import io.wherry.contract.config.Flow;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.service.Interruption;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Tells whether a source transaction has come to its end. A long source transaction needs several Kafka transactions, so its last
 * visible change need not be its last one. To ask costs some round trips to the broker.
 */
public final class SourceTransactionEnds {
    private final Flow flow;

    public SourceTransactionEnds(Flow flow) {
        this.flow = flow;
    }

    /**
     * Whether the partition holds no change of the source transaction beyond an offset.
     *
     * <p>The position alone does not tell: the marker that makes a Kafka transaction visible reaches the partition of the position
     * first, perhaps. So the end of the partition counts too, including what is not visible yet.
     *
     * @param commitLsn of the source transaction
     * @param next offset up to which the partition was read
     */
    boolean isWhole(Lsn commitLsn, TopicPartition partition, long next) {
        if (!Positions.cover(flow, commitLsn)) {
            return false;
        }
        try (Admin admin = KafkaClients.admin(flow.migration())) {
            return admin.listOffsets(
                                    Map.of(partition, OffsetSpec.latest()),
                                    new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED))
                            .partitionResult(partition)
                            .get()
                            .offset()
                    <= next;
        } catch (ExecutionException | KafkaException e) {
            throw KafkaFailures.explain("read the end of " + partition, e);
        } catch (InterruptedException e) {
            throw Interruption.during("read the end of a topic", e);
        }
    }
}
