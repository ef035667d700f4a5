package io.wherry.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.LoadPlan;
import io.wherry.contract.Lsn;
import io.wherry.contract.Migration;
import io.wherry.contract.MigrationFile;
import io.wherry.contract.TableId;
import io.wherry.contract.Timeline;
import io.wherry.rehearsal.SharedBroker;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ControlTopicTest {
    private static final Random RANDOM = new Random(7);

    /** Seen to fail in one record: "The request included a message larger than the max message size the server will accept". */
    @Test
    void thePlanOfVeryManyTablesOrTheCutOfAVeryLargeOneIsRefusedByTheBroker() {
        Migration migration =
                MigrationFile.parse("""
                name: longplan
                source: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                target: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                """, Map.of()).withServers(SharedBroker.clientProperties(), "http://unused");
        KafkaTopics.ensure(migration, Set.of(), Map.of());
        List<LoadPlan.Table> tables = new ArrayList<>();
        for (int i = 0; i < 12_000; i++) {
            TableId table = new TableId("public", "t" + i + text());
            tables.add(new LoadPlan.Table(table, migration.topics().changes(table), 1, 1, i, i));
        }
        LoadPlan plan = new LoadPlan(1, new Lsn(100), tables, 2, new Timeline("7", 1));
        List<String> bounds = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            bounds.add(text());
        }
        TableId large = new TableId("public", "large");
        Cut cut = new Cut(
                large, 1, 1, 1, List.of(), "", List.of("id"), "id", "text", bounds, 1, ColumnNumbers.NONE, List.of());
        try (ControlTopic control = new ControlTopic(migration)) {
            control.cut(List.of(cut));
            control.plan(plan);
            control.unloaded(new TableId("public", "other"));
            Memory memory = ControlTopic.read(migration);
            assertThat(memory.plans()).containsExactly(plan);
            assertThat(memory.plannedPartitions()).hasSize(12_000);
            assertThat(memory.partitions()).containsKey(large);
        } finally {
            SharedBroker.forget("longplan");
        }
    }

    /** Does not compress well. */
    private static String text() {
        return Long.toHexString(RANDOM.nextLong()) + Long.toHexString(RANDOM.nextLong());
    }
}
