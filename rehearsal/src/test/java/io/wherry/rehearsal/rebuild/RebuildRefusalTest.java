package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.Test;

/** What the topics cannot make is found, and named, before anything is written. */
@EveryThirdDay(2)
class RebuildRefusalTest {
    private static final String WRITTEN = "SELECT count(*) FROM pg_namespace WHERE nspname = 'wherry'";

    @Test
    void whatIsLostInKafkaAndWhatStandsInTheWayIsNamed() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("refused", 15, 15)) {
            migration.file("");
            Endpoint source = migration.migration().source();
            for (String table : List.of("whole", "deleted", "\"Made Again\"", "cut", "compacted")) {
                migration.execute(
                        source,
                        "CREATE TABLE public." + table + " (id int PRIMARY KEY)",
                        "INSERT INTO public." + table + " SELECT generate_series(1, 10)");
            }
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            for (String table : List.of("whole", "deleted", "\"Made Again\"", "cut", "compacted")) {
                migration.execute(source, "INSERT INTO public." + table + " SELECT generate_series(11, 20)");
            }
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();
            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "refused_rebuilt");

            migration.execute(rebuilt.endpoint(), "CREATE TABLE public.whole (id int)");
            assertThat(rebuilt.rebuild()).as(rebuilt.said()).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("table public.whole: exists on the target");
            assertThat(migration.number(rebuilt.endpoint(), WRITTEN)).isZero();
            migration.execute(rebuilt.endpoint(), "DROP TABLE public.whole");

            try (Admin admin = KafkaClients.admin(migration.migration())) {
                admin.deleteTopics(List.of(topic(migration, "deleted"), topic(migration, "Made Again")))
                        .all()
                        .get();
                admin.createTopics(
                                List.of(new NewTopic(topic(migration, "Made Again"), Optional.of(1), Optional.empty())))
                        .all()
                        .get();
                admin.deleteRecords(
                                Map.of(new TopicPartition(topic(migration, "cut"), 0), RecordsToDelete.beforeOffset(3)))
                        .all()
                        .get();
                admin.incrementalAlterConfigs(Map.of(
                                new ConfigResource(ConfigResource.Type.TOPIC, topic(migration, "compacted")),
                                List.of(new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), OpType.SET))))
                        .all()
                        .get();
            }
            assertThat(rebuilt.rebuild()).as(rebuilt.said()).isEqualTo(ExitCode.NOT_IN_SYNC);

            assertThat(rebuilt.said())
                    .contains(topic(migration, "deleted") + ": was deleted")
                    .contains(topic(migration, "Made Again") + ": was deleted and re-created")
                    .contains(topic(migration, "cut") + ": has lost its first records")
                    .contains(topic(migration, "compacted") + ": is compacted")
                    .contains("wherry reload --table 'public.Made Again'")
                    .doesNotContain(topic(migration, "whole"));
            assertThat(migration.number(rebuilt.endpoint(), WRITTEN)).isZero();
        }
    }

    @Test
    void aLoadThatIsNotCompleteIsNamed() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("unloaded", 15, 15)) {
            migration.file("");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.small (id int PRIMARY KEY)",
                    "CREATE TABLE public.slow (id int PRIMARY KEY, v text)",
                    "INSERT INTO public.slow SELECT i, (SELECT string_agg(md5((i * g)::text), '') FROM generate_series(1, 20) g)"
                            + " FROM generate_series(1, 20000) i");
            migration.slowDownLoad(2, 50_000);
            migration.startCoordinator();
            migration.startSource();
            migration.startSink();
            migration.awaitSlot();
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();
            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "unloaded_rebuilt");

            assertThat(rebuilt.rebuild()).as(rebuilt.said()).isEqualTo(ExitCode.NOT_IN_SYNC);

            assertThat(rebuilt.said()).contains("table public.slow: its load is not complete in Kafka");
            assertThat(migration.number(rebuilt.endpoint(), WRITTEN)).isZero();
        }
    }

    private static String topic(MigrationFixture migration, String table) {
        return migration.migration().topics().changes(new TableId("public", table));
    }
}
