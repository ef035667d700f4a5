package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

final class EmbeddedKafkaTest {
    private static final TopicPartition PARTITION = new TopicPartition("kept", 0);

    @Test
    void committedRecordsSurviveAKillAndANewStart() throws Exception {
        Path directory;
        try (ChildProcesses children = new ChildProcesses()) {
            directory = children.temporaryDirectory("wherry-test-");
            EmbeddedKafka kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
                admin.createTopics(List.of(new NewTopic("kept", Optional.of(1), Optional.empty())))
                        .all()
                        .get();
            }
            produce(kafka, "first");
            kafka.kill();
            kafka.restart();
            produce(kafka, "second");
            kafka.close();
            String bootstrapServers = kafka.bootstrapServers();
            kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
            assertThat(kafka.bootstrapServers()).isEqualTo(bootstrapServers);
            assertThat(consume(kafka)).containsExactly("first", "second");
        }
        assertThat(directory).doesNotExist();
    }

    private static void produce(EmbeddedKafka kafka, String value) {
        Map<String, Object> properties =
                Map.of("bootstrap.servers", kafka.bootstrapServers(), "transactional.id", "test");
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            var sent = producer.send(new ProducerRecord<>(PARTITION.topic(), value));
            producer.commitTransaction();
            assertThat(sent).isDone();
        }
    }

    private static List<String> consume(EmbeddedKafka kafka) {
        Map<String, Object> properties = Map.of(
                "bootstrap.servers", kafka.bootstrapServers(), "isolation.level", "read_committed", "group.id", "test");
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(PARTITION));
            consumer.seekToBeginning(List.of(PARTITION));
            return consumer.poll(Duration.ofSeconds(30)).records(PARTITION).stream()
                    .map(ConsumerRecord::value)
                    .toList();
        }
    }
}
