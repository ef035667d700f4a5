package io.wherry.source.decode;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.source.control.Route;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;

final class BarrierSectionsTest {
    private static final Route HOT = new Route(new TableId("public", "hot"), "shop.public.hot", 3);
    private static final Route OTHER = new Route(new TableId("public", "other"), "shop.public.other", 3);
    private static final byte[] VALUE = {1};

    private final BarrierSections sections = new BarrierSections();

    @Test
    void aBarrierGoesToAllPartitionsAndLaterRowsOfItsTableToPartitionZero() {
        assertThat(sections.row(HOT, 2, null, VALUE).partition()).isEqualTo(2);
        List<ProducerRecord<byte[], byte[]>> copies = sections.barrier(HOT, new Section(new Lsn(7), 1), null, VALUE);
        assertThat(copies).extracting(ProducerRecord::partition).containsExactly(0, 1, 2);
        assertThat(copies).allMatch(BarrierSectionsTest::isMarked);

        ProducerRecord<byte[], byte[]> row = sections.row(HOT, 2, null, VALUE);
        assertThat(row.partition()).isZero();
        assertThat(isMarked(row)).isTrue();
        assertThat(sections.barrier(HOT, new Section(new Lsn(8), 1), null, VALUE))
                .hasSize(1)
                .allMatch(BarrierSectionsTest::isMarked);
        assertThat(sections.row(OTHER, 1, null, VALUE).partition()).isEqualTo(1);
    }

    @Test
    void aSectionEndsWithItsKafkaTransaction() {
        assertThat(sections.barrier(HOT, new Section(new Lsn(7), 1), null, VALUE))
                .hasSize(3);
        sections.clear();
        ProducerRecord<byte[], byte[]> row = sections.row(HOT, 2, null, VALUE);
        assertThat(row.partition()).isEqualTo(2);
        assertThat(isMarked(row)).isFalse();
    }

    private static boolean isMarked(ProducerRecord<byte[], byte[]> record) {
        return record.headers().iterator().hasNext();
    }
}
