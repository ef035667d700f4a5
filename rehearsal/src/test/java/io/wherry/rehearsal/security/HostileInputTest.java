package io.wherry.rehearsal.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.Preflight;
import io.wherry.cli.Services;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.name.TableId;
import io.wherry.contract.service.Service;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.Command;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.FreePorts;
import io.wherry.embedded.PostgresServer;
import io.wherry.embedded.Unprivileged;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Servers and topics that are not as they should be: reported by name, nothing is lost, nothing skipped, other tables continue.
 */
class HostileInputTest {
    private static ServerPair servers;

    @BeforeAll
    static void startServers() {
        servers = new ServerPair();
    }

    @AfterAll
    static void stopServers() {
        servers.close();
    }

    @Test
    @Tag("embedded-only")
    void aStandbyOrTheSourceItselfIsRefused() throws Exception {
        try (ChildProcesses processes = new ChildProcesses()) {
            Path directory = processes.temporaryDirectory("wherry-standby");
            int version = servers.source().major();
            EmbeddedPostgres primary =
                    EmbeddedPostgres.start(processes, version, directory.resolve("primary"), Map.of());
            primary.stop();
            Path standbyHome = Files.createDirectory(directory.resolve("standby"));
            Command.run(
                    List.of("cp", "-a", directory.resolve("primary/data").toString(), standbyHome.toString()),
                    directory,
                    directory.resolve("cp.log"),
                    Duration.ofMinutes(1),
                    "");
            Unprivileged.own(Files.createFile(standbyHome.resolve("data/standby.signal")));
            EmbeddedPostgres standby = EmbeddedPostgres.start(processes, version, standbyHome, Map.of());

            assertThat(errors(standby, servers.target()))
                    .anyMatch(e -> e.matches("source.*is a standby.*primary's address in source.url"));
            assertThat(errors(servers.source(), standby))
                    .anyMatch(e -> e.matches("target.*is a standby.*primary's address in target.url"));
            assertThat(errors(servers.source(), servers.source()))
                    .anyMatch(e -> e.matches("target.*same database as the source.*another database in target.url"));
        }
    }

    private static List<String> errors(PostgresServer source, PostgresServer target) {
        String file =
                "{name: shop, source: {url: '%s', user: postgres, password: postgres}, target: {url: '%s', user: postgres, password: postgres}}"
                        .formatted(source.jdbcUrl("postgres"), target.jdbcUrl("postgres"));
        return Preflight.findings(MigrationFile.parse(file, Map.of())).stream()
                .filter(f -> f.severity() == Finding.Severity.ERROR)
                .map(Finding::explained)
                .toList();
    }

    @Test
    void foreignRecordsAndLostTopicsStopTheirTableAndNoOther() throws Exception {
        List<String> tables = List.of("good", "garbage", "tombstone", "unknown", "stranger", "cut", "remade");
        try (MigrationFixture fixture = MigrationFixture.between(servers, "hostile")) {
            Migration migration = fixture.migration();
            for (String table : tables) {
                fixture.execute(
                        migration.source(),
                        "CREATE TABLE public." + table + " (id int PRIMARY KEY, v text)",
                        "INSERT INTO public." + table + " VALUES (1, 'loaded')");
            }
            fixture.startCoordinator();
            SourceConnector source =
                    new SourceConnector(Flow.first(migration).groups().get(0));
            source.start();
            SinkApplier sink = new SinkApplier(Flow.first(migration));
            sink.start();
            try (KafkaProducer<byte[], byte[]> intruder = KafkaClients.producer(migration, Map.of());
                    Admin admin = KafkaClients.admin(migration)) {
                fixture.awaitState(State.IN_SYNC);
                aTargetOfAnotherMigrationIsRefused(migration);

                write(fixture, tables, "followed");
                tables.forEach(table -> awaitRow(fixture, table, "followed"));
                byte[] change = lastRecord(migration, admin, "good");
                for (Map.Entry<String, byte[]> foreign : Map.of(
                                "garbage", "not a change".getBytes(StandardCharsets.UTF_8),
                                "unknown",
                                        ByteBuffer.allocate(40)
                                                .put((byte) 0)
                                                .putInt(987_654)
                                                .array(),
                                "stranger", change)
                        .entrySet()) {
                    intruder.send(new ProducerRecord<>(topic(migration, foreign.getKey()), foreign.getValue()))
                            .get();
                }
                intruder.send(new ProducerRecord<>(topic(migration, "tombstone"), new byte[0], null))
                        .get();
                awaitStopped(fixture, "garbage", "wire format");
                awaitStopped(fixture, "tombstone", "wire format");
                awaitStopped(fixture, "unknown", "987654");
                awaitStopped(fixture, "stranger", "is that of public.good");
                write(fixture, tables, "behind");
                awaitRow(fixture, "good", "behind");

                sink.close();
                write(fixture, tables, "not yet read");
                TopicPartition cut = new TopicPartition(topic(migration, "cut"), 0);
                long end = awaitEnd(admin, cut, 3);
                awaitEnd(admin, new TopicPartition(topic(migration, "remade"), 0), 3);
                admin.deleteRecords(Map.of(cut, RecordsToDelete.beforeOffset(end)))
                        .all()
                        .get();
                source.close();
                String remade = topic(migration, "remade");
                admin.deleteTopics(List.of(remade)).all().get();
                await("deleted")
                        .atMost(Duration.ofMinutes(1))
                        .until(() -> !admin.listTopics().names().get().contains(remade));
                source = new SourceConnector(Flow.first(migration).groups().get(0));
                source.start();
                assertEndsWith(source, remade + ": it was deleted");

                admin.createTopics(List.of(new NewTopic(remade, 1, (short) 1)))
                        .all()
                        .get();
                for (int i = 0; i < 50; i++) {
                    intruder.send(new ProducerRecord<>(remade, 0, null, new byte[] {1}))
                            .get();
                }
                sink = new SinkApplier(Flow.first(migration));
                sink.start();
                awaitStopped(fixture, "cut", "no longer holds the records after the checkpoint");
                awaitStopped(fixture, "remade", "deleted and re-created");
                awaitRow(fixture, "good", "not yet read");
                for (String table : List.of("garbage", "tombstone", "unknown", "stranger")) {
                    assertThat(row(fixture, table, "followed"))
                            .as(table + " has not passed the foreign record")
                            .isOne();
                }
            } finally {
                sink.close();
                source.close();
            }
        }
    }

    /** Both the caller that has checked before and the caller that comes at the same time. */
    private static void aTargetOfAnotherMigrationIsRefused(Migration first) throws Exception {
        Migration second = MigrationFile.parse(
                "{name: second, source: {url: '%s', user: wherry, password: rehearsal}, target: {url: '%s', user: wherry, password: rehearsal}, kafka: %s, registry: {url: '%s'}, http: {listen: '127.0.0.1:%d'}}"
                        .formatted(
                                first.source().url(),
                                first.target().url(),
                                SharedBroker.yaml(),
                                SharedBroker.registryUrl(),
                                FreePorts.next()),
                Map.of());
        assertThat(Preflight.findings(second))
                .anySatisfy(f -> assertThat(f.explained()).contains("belongs to another migration, hostile"));
        try (CutoverCoordinator coordinator = new CutoverCoordinator(Flow.first(second), Path.of("unused"))) {
            assertThatThrownBy(coordinator::start).isInstanceOf(ConfigurationException.class);
        }
        try (SinkApplier sink = new SinkApplier(Flow.first(second))) {
            sink.start();
            assertEndsWith(sink, "belongs to another migration, hostile");
        }
    }

    private static void assertEndsWith(Service service, String problem) {
        await(problem)
                .atMost(Duration.ofMinutes(2))
                .until(() -> service.done().toCompletableFuture().isDone());
        assertThatThrownBy(() -> Services.await(service)).hasMessageContaining(problem);
    }

    private static void write(MigrationFixture fixture, List<String> tables, String value) throws Exception {
        for (String table : tables) {
            fixture.execute(fixture.migration().source(), "UPDATE public." + table + " SET v = '" + value + "'");
        }
    }

    private static long row(MigrationFixture fixture, String table, String value) {
        return fixture.numberFromTarget("SELECT count(*) FROM public." + table + " WHERE v = '" + value + "'");
    }

    private static void awaitRow(MigrationFixture fixture, String table, String value) {
        await(table + " " + value).atMost(MigrationFixture.PATIENCE).until(() -> row(fixture, table, value) == 1);
    }

    private static void awaitStopped(MigrationFixture fixture, String table, String reason) {
        await(table + " stopped: " + reason)
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> fixture.numberFromTarget("SELECT count(*) FROM wherry.relation WHERE table_name = '"
                                + table + "' AND stopped_because LIKE '%" + reason + "%'")
                        == 1);
    }

    private static String topic(Migration migration, String table) {
        return migration.topics().changes(new TableId("public", table));
    }

    private static long end(Admin admin, TopicPartition partition) throws Exception {
        return admin.listOffsets(Map.of(partition, OffsetSpec.latest()))
                .partitionResult(partition)
                .get()
                .offset();
    }

    private static long awaitEnd(Admin admin, TopicPartition partition, long atLeast) {
        await(partition + " holds " + atLeast + " changes")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> end(admin, partition) >= 2 * atLeast);
        try {
            return end(admin, partition);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** The value of the last change of a table. */
    private static byte[] lastRecord(Migration migration, Admin admin, String table) throws Exception {
        TopicPartition partition = new TopicPartition(topic(migration, table), 0);
        try (var consumer = KafkaClients.consumer(migration, Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            byte[] last = null;
            while (last == null || consumer.position(partition) < end(admin, partition)) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    last = record.value();
                }
            }
            return last;
        }
    }
}
