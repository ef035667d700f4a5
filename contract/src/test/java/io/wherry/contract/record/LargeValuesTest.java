package io.wherry.contract.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

class LargeValuesTest {
    private final LargeValues.Joiner joiner = new LargeValues.Joiner();

    @Test
    void valueLargerThanABrokerTakesIsJoinedAgain() {
        byte[] value = new byte[3 * LargeValues.PART_BYTES + 17];
        new Random(1).nextBytes(value);
        List<ConsumerRecord<byte[], byte[]>> parts = split(value);
        assertThat(parts).hasSize(4);
        for (ConsumerRecord<byte[], byte[]> part : parts.subList(0, 3)) {
            assertThat(joiner.add(part)).isNull();
            assertThat(joiner.unfinishedFrom()).isEqualTo(0);
        }
        assertThat(joiner.add(parts.get(3))).isEqualTo(value);
        assertThat(joiner.unfinishedFrom()).isEqualTo(-1);
    }

    @Test
    void smallValueIsOneRecord() {
        byte[] value = new byte[LargeValues.PART_BYTES];
        assertThat(split(value)).hasSize(1);
        assertThat(joiner.add(split(value).get(0))).isEqualTo(value);
    }

    @Test
    void missingPartIsFound() {
        List<ConsumerRecord<byte[], byte[]>> parts = split(new byte[3 * LargeValues.PART_BYTES]);
        joiner.add(parts.get(0));
        assertThatThrownBy(() -> joiner.add(parts.get(2))).isInstanceOf(DataException.class);
    }

    private static List<ConsumerRecord<byte[], byte[]>> split(byte[] value) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (ProducerRecord<byte[], byte[]> part : LargeValues.split(new ProducerRecord<>("t", 0, null, value))) {
            records.add(new ConsumerRecord<>(
                    "t",
                    0,
                    records.size(),
                    0,
                    TimestampType.CREATE_TIME,
                    0,
                    0,
                    null,
                    part.value(),
                    part.headers(),
                    Optional.empty()));
        }
        return records;
    }
}
