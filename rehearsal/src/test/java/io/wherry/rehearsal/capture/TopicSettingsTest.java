package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.name.TableId;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.source.publish.KafkaTopics;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.Test;

/** Topics that another program created on a broker before Wherry. */
final class TopicSettingsTest {
    private static final TableId TABLE = new TableId("public", "t");
    private static final byte[] RECORD = {1};

    @Test
    void aCompactedTopicWithRecordsIsRefused() throws Exception {
        Migration migration = migration("compacted");
        String topic = migration.topics().changes(TABLE);
        try (Admin admin = KafkaClients.admin(migration)) {
            make(admin, topic, 1, Map.of("cleanup.policy", "compact"));
            write(migration, topic, 0);
            assertThatThrownBy(() -> ensure(migration))
                    .isInstanceOf(DataException.class)
                    .hasMessageContainingAll(topic, "cleanup.policy=compact, so records may be missing")
                    .extracting(failure -> ((DataException) failure).hint())
                    .asString()
                    .contains("delete this migration's topics");
            assertTheRemedyHelps(admin, migration);
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    @Test
    void aTopicThatRemovesItsRecordsAfterAWhileIsCorrected() throws Exception {
        Migration migration = migration("expiring");
        String topic = migration.topics().changes(TABLE);
        try (Admin admin = KafkaClients.admin(migration)) {
            // Compacted, but no record was written that could be missing.
            make(
                    admin,
                    topic,
                    1,
                    Map.of("cleanup.policy", "compact", "retention.ms", "60000", "retention.bytes", "1000"));
            // A broker reports new settings a moment after it has accepted them, also those to be corrected: so the
            // source-connector checks them again and again.
            await("corrected").untilAsserted(() -> {
                ensure(migration);
                assertThat(settings(admin, topic))
                        .containsEntry("cleanup.policy", "delete")
                        .containsEntry("retention.ms", "-1")
                        .containsEntry("retention.bytes", "-1");
            });
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    @Test
    void recordsInPartitionsThatTheLoadPlanDoesNotKnowAreRefused() throws Exception {
        Migration migration = migration("spread");
        String topic = migration.topics().changes(TABLE);
        try (Admin admin = KafkaClients.admin(migration)) {
            make(admin, topic, 3, Map.of());
            assertThat(ensure(migration).partitions())
                    .as("no further partition is needed yet")
                    .containsEntry(TABLE, 1);
            write(migration, topic, 2);
            assertThatThrownBy(() -> KafkaTopics.ensure(Flow.first(migration), Set.of(TABLE), Map.of(TABLE, 1)))
                    .isInstanceOf(DataException.class)
                    .hasMessageContainingAll(topic, "partition 2 holds records", "only 1 are read")
                    .extracting(failure -> ((DataException) failure).hint())
                    .asString()
                    .contains("delete this migration's topics");
            assertTheRemedyHelps(admin, migration);
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    /** Slot, publication and target do not exist here. */
    private static void assertTheRemedyHelps(Admin admin, Migration migration) throws Exception {
        SharedBroker.forget(migration.name());
        // A broker may still answer for a topic a moment after it was deleted.
        await("created as the migration needs it")
                .ignoreExceptionsInstanceOf(WherryException.class)
                .untilAsserted(() -> assertThat(ensure(migration).partitions()).containsEntry(TABLE, 1));
        await("kept forever").untilAsserted(() -> assertThat(
                        settings(admin, migration.topics().changes(TABLE)))
                .containsEntry("cleanup.policy", "delete"));
    }

    private static KafkaTopics.Layout ensure(Migration migration) {
        return KafkaTopics.ensure(Flow.first(migration), Set.of(TABLE), Map.of());
    }

    private static void make(Admin admin, String topic, int partitions, Map<String, String> settings)
            throws InterruptedException, ExecutionException {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) -1).configs(settings)))
                .all()
                .get();
    }

    private static void write(Migration migration, String topic, int partition) throws Exception {
        try (var producer = KafkaClients.producer(migration, Map.of())) {
            producer.send(new ProducerRecord<>(topic, partition, RECORD, RECORD))
                    .get();
        }
    }

    private static Map<String, String> settings(Admin admin, String topic)
            throws InterruptedException, ExecutionException {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, String> settings = new HashMap<>();
        admin.describeConfigs(List.of(resource))
                .all()
                .get()
                .get(resource)
                .entries()
                .forEach(entry -> settings.put(entry.name(), entry.value()));
        return settings;
    }

    private static Migration migration(String name) {
        return MigrationFile.parse("""
                name: %s
                source: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                target: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                """.formatted(name), Map.of())
                .withServers(SharedBroker.clientProperties(), "http://unused");
    }
}
