package io.wherry.contract.name;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TopicsTest {
    private final Topics topics = new Topics("shop");

    @Test
    void ordinaryNamesStayReadable() {
        assertThat(topics.changes(new TableId("public", "order_items"))).isEqualTo("shop.public.order_items");
    }

    @Test
    void namesThatKafkaWouldTakeForTheSameStayApart() {
        List<TableId> confusing = List.of(
                new TableId("a.b", "c"),
                new TableId("a", "b.c"),
                new TableId("a_b", "c"),
                new TableId("a", "b_c"),
                new TableId("a", "b c"),
                new TableId("a", "b%c"),
                new TableId("a", "b-x0020c"),
                new TableId("a", "B c"),
                new TableId("a", "tät"),
                new TableId("a", "t\nt"));
        Set<String> normalised = new HashSet<>();
        for (TableId table : confusing) {
            String topic = topics.changes(table);
            assertThat(topic).matches("[a-zA-Z0-9._-]{1,249}");
            normalised.add(topic.replace('.', '_'));
        }
        assertThat(normalised).hasSameSizeAs(confusing);
    }

    @Test
    void longNamesAreCutAndStayApart() {
        String first = topics.changes(new TableId("ü".repeat(31), "ä".repeat(31) + "1"));
        String second = topics.changes(new TableId("ü".repeat(31), "ä".repeat(31) + "2"));
        assertThat(first).hasSizeLessThanOrEqualTo(249).isNotEqualTo(second);
    }
}
