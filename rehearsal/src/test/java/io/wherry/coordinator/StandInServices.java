package io.wherry.coordinator;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.Repeater;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Says to the coordinator what a source-connector and a sink-applier say, on a source that does not change. */
final class StandInServices implements AutoCloseable {
    private final TwoServers servers;
    private final Migration migration;
    private final Repeater source;
    private final KafkaProducer<byte[], byte[]> producer;
    volatile boolean silent;

    StandInServices(TwoServers servers, Migration migration) throws Exception {
        this.servers = servers;
        this.migration = migration;
        List<LoadPlan.Table> tables = new ArrayList<>();
        List<NewTopic> topics = new ArrayList<>(List.of(
                new NewTopic(migration.topics().position(), 1, (short) 1),
                new NewTopic(migration.topics().control(), 1, (short) 1)));
        try (Connection connection = servers.openSource();
                Admin admin = KafkaClients.admin(migration)) {
            for (Catalog.Table table : Catalog.selected(connection, migration)) {
                String topic = migration.topics().changes(table.id());
                tables.add(new LoadPlan.Table(table.id(), topic, 1, 1, 10, 10));
                topics.add(new NewTopic(topic, 1, (short) 1));
            }
            admin.createTopics(topics).all().get();
        }
        producer = KafkaClients.producer(migration, Map.of());
        send(migration.topics().control(), LoadPlan.KEY, new LoadPlan(1, Lsn.ZERO, tables));
        source = new Repeater("stand-in-source", this::positions, problem -> {});
        source.start();
    }

    private void positions(Repeater repeater) throws Exception {
        try (Connection connection = Sessions.open(migration, migration.source(), "source")) {
            while (!repeater.closing()) {
                Lsn lsn = Lsn.parse(Queries.string(connection, "SELECT pg_current_wal_lsn()::text")
                        .orElseThrow());
                if (!silent) {
                    send(migration.topics().position(), "", new Position(lsn, lsn, System.currentTimeMillis()));
                }
                repeater.pause(50);
            }
        }
    }

    private void send(String topic, String key, Object value) throws Exception {
        producer.send(new ProducerRecord<>(topic, 0, key.getBytes(StandardCharsets.UTF_8), Json.write(value)))
                .get();
    }

    /** Makes the slot and loads every row, once the coordinator has made the tables. */
    void load() throws Exception {
        servers.copyRows();
        try (Connection target = servers.openTarget();
                Connection from = servers.openSource()) {
            Queries.strings(from, "SELECT pg_create_logical_replication_slot(?, 'pgoutput')::text", migration.slot());
            for (Catalog.Table table : Catalog.selected(from, migration)) {
                String schema = table.id().schema();
                String name = table.id().table();
                String topic = migration.topics().changes(table.id());
                Queries.update(
                        target,
                        "INSERT INTO wherry.relation (schema_name, table_name, topic, partitions, load_epoch, snapshot_lsn,"
                                + " chunks, rows_estimated, bytes_estimated) VALUES (?, ?, ?, 1, 1, '0/0', 1, 10, 10)",
                        schema,
                        name,
                        topic);
                Queries.update(
                        target,
                        "INSERT INTO wherry.chunk (schema_name, table_name, load_epoch, chunk, rows, bytes)"
                                + " VALUES (?, ?, 1, 0, 10, 100)",
                        schema,
                        name);
                Queries.update(
                        target,
                        "INSERT INTO wherry.checkpoint (topic, partition, next_offset, commit_lsn, epoch)"
                                + " VALUES (?, 0, 0, '0/0', 1)",
                        topic);
            }
        }
    }

    @Override
    public void close() {
        source.close();
        producer.close();
    }
}
