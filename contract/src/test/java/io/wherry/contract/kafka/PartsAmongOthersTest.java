package io.wherry.contract.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.record.LargeValues;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

class PartsAmongOthersTest {
    private long offset;

    @Test
    void aRecordOfAnotherProducerBetweenTwoPartsBreaksTheLongRecord() {
        byte[] value = new byte[3 * LargeValues.PART_BYTES - 7];
        value[value.length - 1] = 42;
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        // An earlier long record whose last parts never come.
        records.add(parts(value).get(0));
        for (ConsumerRecord<byte[], byte[]> part : parts(value)) {
            records.add(part);
            records.add(
                    consumed(new ProducerRecord<>("t", 0, "note".getBytes(StandardCharsets.UTF_8), new byte[] {1})));
        }
        PartsAmongOthers joiner = new PartsAmongOthers();
        List<ConsumerRecord<byte[], byte[]>> joined = new ArrayList<>(joiner.join(records.subList(0, 4)));
        joined.addAll(joiner.join(records.subList(4, records.size())));
        assertThat(joined).extracting(record -> record.value().length).containsExactly(1, 1, value.length, 1);
        assertThat(joined.get(2).value()).isEqualTo(value);
        assertThat(joined.get(2).key()).isEqualTo("plan".getBytes(StandardCharsets.UTF_8));
    }

    private List<ConsumerRecord<byte[], byte[]>> parts(byte[] value) {
        ProducerRecord<byte[], byte[]> whole =
                new ProducerRecord<>("t", 0, "plan".getBytes(StandardCharsets.UTF_8), value);
        return LargeValues.split(whole).stream().map(this::consumed).toList();
    }

    private ConsumerRecord<byte[], byte[]> consumed(ProducerRecord<byte[], byte[]> sent) {
        return new ConsumerRecord<>(
                "t",
                0,
                offset++,
                0L,
                TimestampType.CREATE_TIME,
                sent.key().length,
                sent.value().length,
                sent.key(),
                sent.value(),
                sent.headers(),
                Optional.empty());
    }
}
