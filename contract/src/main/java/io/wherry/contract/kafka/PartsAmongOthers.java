package io.wherry.contract.kafka;

import io.wherry.contract.record.LargeValues;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Joins the parts of long records in a topic that several producers write to. Records of other producers may come between two
 * parts, and the remaining parts of an aborted transaction never come. Not safe for use by several threads.
 */
final class PartsAmongOthers {
    private LargeValues.Joiner joiner = new LargeValues.Joiner();

    /** Drops unfinished records: the reader continues at another place. */
    void forget() {
        joiner = new LargeValues.Joiner();
    }

    /**
     * The same records; records in parts are joined.
     *
     * @throws DataException when parts are out of order
     */
    List<ConsumerRecord<byte[], byte[]>> join(List<ConsumerRecord<byte[], byte[]>> records) {
        List<ConsumerRecord<byte[], byte[]>> joined = new ArrayList<>(records.size());
        for (ConsumerRecord<byte[], byte[]> record : records) {
            if (!LargeValues.isPart(record)) {
                joined.add(record);
                continue;
            }
            if (LargeValues.bytesBegun(record) > 0) {
                forget();
            }
            byte[] whole = joiner.add(record);
            if (whole != null) {
                joined.add(
                        new ConsumerRecord<>(record.topic(), record.partition(), record.offset(), record.key(), whole));
            }
        }
        return joined;
    }
}
