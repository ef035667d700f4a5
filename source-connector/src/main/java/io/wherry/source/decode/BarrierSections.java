package io.wherry.source.decode;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Barrier;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.source.control.Route;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Where rows go within one Kafka transaction. After a barrier of a table ({@link Barrier}) all further rows of the table go to
 * partition 0. So a million key changes are one barrier, not a million, and the key changes of many short source transactions are
 * few barriers. Such a section ends with its Kafka transaction, so a reader of all committed records has read whole sections.
 */
public final class BarrierSections {
    private final Map<TableId, Section> begun = new HashMap<>();

    /** The next Kafka transaction begins. */
    public void clear() {
        begun.clear();
    }

    /** @param partition for the row, unless its table is in a section */
    public ProducerRecord<byte[], byte[]> row(Route route, int partition, byte[] key, byte[] value) {
        Section section = begun.get(route.id());
        return section == null
                ? new ProducerRecord<>(route.topic(), partition, key, value)
                : marked(route, 0, key, value, section);
    }

    /** @param section that the row begins, unless its table is within a section */
    public List<ProducerRecord<byte[], byte[]>> barrier(Route route, Section section, byte[] key, byte[] value) {
        if (begun.putIfAbsent(route.id(), section) != null) {
            return List.of(row(route, 0, key, value));
        }
        return IntStream.range(0, route.partitions())
                .mapToObj(partition -> marked(route, partition, key, value, section))
                .toList();
    }

    private static ProducerRecord<byte[], byte[]> marked(
            Route route, int partition, byte[] key, byte[] value, Section section) {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(route.topic(), partition, key, value);
        Barrier.mark(record, section);
        return record;
    }
}
