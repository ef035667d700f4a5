package io.wherry.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("embedded-only")
final class EmbeddedKafkaTest {
    private static final TopicPartition PARTITION = new TopicPartition("kept", 0);

    private static ChildProcesses children;
    private static Path directory;
    private static EmbeddedKafka kafka;

    @BeforeAll
    static void start() {
        children = new ChildProcesses();
        directory = children.temporaryDirectory("wherry-test-");
        kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
    }

    @AfterAll
    static void stop() {
        children.close();
        assertThat(directory).doesNotExist();
    }

    @Test
    void aClientWithoutTheSecretCannotUseTheEmbeddedBroker() throws Exception {
        Map<String, Object> stranger = Map.of(
                "bootstrap.servers",
                kafka.bootstrapServers(),
                "default.api.timeout.ms",
                3_000,
                "request.timeout.ms",
                2_000);
        try (Admin admin = Admin.create(stranger)) {
            assertThatThrownBy(() -> admin.listTopics().names().get()).isInstanceOf(ExecutionException.class);
        }
        Map<String, Object> guessing = new HashMap<>(stranger);
        kafka.clientProperties().forEach(guessing::putIfAbsent);
        guessing.computeIfPresent(
                "sasl.jaas.config", (key, login) -> login.toString().replaceAll("password=\"..", "password=\"xx"));
        try (Admin admin = Admin.create(guessing)) {
            assertThatThrownBy(() -> admin.listTopics().names().get())
                    .hasCauseInstanceOf(SaslAuthenticationException.class);
        }
        Properties told = new Properties();
        try (InputStream file = Files.newInputStream(kafka.clientFile())) {
            told.load(file);
        }
        try (Admin admin = Admin.create(told)) {
            assertThat(admin.describeCluster().nodes().get()).hasSize(1);
        }
    }

    @Test
    void otherUsersCannotReadTheEmbeddedBrokersSecretAndFiles() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("kafka"))))
                .isEqualTo("rwx------");
        try (Stream<Path> files = Files.walk(directory.resolve("kafka"))) {
            assertThat(files.filter(Files::isRegularFile).filter(file -> {
                        try {
                            return Files.getPosixFilePermissions(file).contains(PosixFilePermission.OTHERS_READ);
                        } catch (NoSuchFileException e) {
                            return false;
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    }))
                    .as("readable by others")
                    .isEmpty();
        }
        String secret = kafka.clientProperties().get("sasl.jaas.config").replaceAll(".*password=\"([^\"]+)\".*", "$1");
        assertThat(secret).hasSizeGreaterThan(30);
        assertThat(ProcessHandle.current()
                        .descendants()
                        .map(child -> child.info().arguments())
                        .flatMap(Optional::stream))
                .allMatch(arguments -> Arrays.stream(arguments).noneMatch(argument -> argument.contains(secret)));
    }

    @Test
    void committedRecordsSurviveAKillAndANewStart() throws Exception {
        try (Admin admin = Admin.create(new HashMap<String, Object>(kafka.clientProperties()))) {
            admin.createTopics(List.of(new NewTopic("kept", Optional.of(1), Optional.empty())))
                    .all()
                    .get();
        }
        produce(kafka, "first");
        kafka.kill();
        kafka.restart();
        produce(kafka, "second");
        kafka.close();
        Map<String, String> clientProperties = kafka.clientProperties();
        kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
        assertThat(kafka.clientProperties()).isEqualTo(clientProperties);
        assertThat(consume(kafka)).containsExactly("first", "second");
    }

    private static void produce(EmbeddedKafka kafka, String value) {
        Map<String, Object> properties = new HashMap<>(kafka.clientProperties());
        properties.put("transactional.id", "test");
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
        Map<String, Object> properties = new HashMap<>(kafka.clientProperties());
        properties.putAll(Map.of("isolation.level", "read_committed", "group.id", "test"));
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
