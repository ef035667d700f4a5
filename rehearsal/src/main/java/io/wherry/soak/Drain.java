package io.wherry.soak;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.SourceStatus;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Waits until everything that was written on the quiet source is on the target, judged by the documented positions alone. */
final class Drain implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Drain.class);
    private static final long POLL_MILLIS = 200;

    private final Migration migration;
    private final Endpoint source;
    private final Endpoint target;
    private final Admin admin;
    private final Map<String, TopicTail> tails = new HashMap<>();
    private String missing = "";

    /**
     * @param migration with the direct address of the broker, so that the network's faults do not affect the reading of its ends
     */
    Drain(Migration migration, Endpoint source, Endpoint target) {
        this.migration = migration;
        this.source = source;
        this.target = target;
        this.admin = KafkaClients.admin(migration);
    }

    /** A table has stopped, and only an operator can continue it. */
    static final class StoppedException extends Exception {
        private static final long serialVersionUID = 1;

        StoppedException(String message) {
            super(message);
        }
    }

    /**
     * @return whether everything is on the target; if {@code limit} has passed, false, and then {@link #missing} names what is
     *     missing
     * @throws StoppedException when a table has stopped
     */
    boolean await(Duration limit) throws InterruptedException, StoppedException {
        long deadline = System.nanoTime() + limit.toNanos();
        long told = -1;
        Quiet quiet = null;
        Connection session = null;
        try {
            while (System.nanoTime() < deadline) {
                try {
                    if (quiet == null) {
                        quiet = quiet();
                        told = lastTold();
                    }
                    missing = reached(quiet.sentinel(), told);
                    if (missing.isEmpty()) {
                        session = session == null ? Sessions.open(migration, target, "soak") : session;
                        missing = applied(session, quiet.tables());
                    }
                    if (missing.isEmpty()) {
                        return true;
                    }
                } catch (SQLException | KafkaException | ExecutionException e) {
                    // A server that a fault hit is not back yet.
                    missing = e.toString();
                    session = closed(session);
                }
                Thread.sleep(POLL_MILLIS);
            }
            return false;
        } finally {
            closed(session);
        }
    }

    /** Waits until a source-connector reports that it captures. Everything written after that comes as changes. */
    void awaitCapture(Duration limit) throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        long told = -2;
        while (System.nanoTime() < deadline) {
            try {
                told = told == -2 ? lastTold() : told;
                if (lastTold() > told) {
                    return;
                }
            } catch (KafkaException e) {
                missing = e.toString();
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    String missing() {
        return missing;
    }

    /** The contents of the source from now on. */
    private record Quiet(Set<TableId> tables, Lsn sentinel) {}

    private Quiet quiet() throws SQLException {
        try (Connection session = Sessions.open(migration, source, "soak")) {
            Set<TableId> tables = SelectedTables.read(session, migration).stream()
                    .map(CatalogTable::id)
                    .collect(Collectors.toSet());
            return new Quiet(tables, Heartbeat.emit(session));
        }
    }

    private static Connection closed(Connection session) {
        if (session != null) {
            try {
                session.close();
            } catch (SQLException e) {
                LOG.debug("the target has ended the session already", e);
            }
        }
        return null;
    }

    /** Offset of the source-connector's last report. Its time cannot be used, as clocks jump. */
    private long lastTold() {
        ConsumerRecord<byte[], byte[]> last = last(migration.topics().status());
        return last == null ? -1 : last.offset();
    }

    private String reached(Lsn sentinel, long told) {
        if (!Positions.cover(Flow.first(migration), sentinel)) {
            return "the position in Kafka is before the sentinel " + sentinel;
        }
        ConsumerRecord<byte[], byte[]> status = last(migration.topics().status());
        if (status == null
                || status.offset() <= told
                || !Json.read(status.value(), SourceStatus.class).phase().equals("STREAMING")) {
            return "the source-connector has not said since that the load is complete";
        }
        return "";
    }

    private String applied(Connection session, Set<TableId> tables)
            throws SQLException, ExecutionException, InterruptedException, StoppedException {
        try (Statement statement = session.createStatement()) {
            String notReady = notReady(statement, tables);
            return notReady.isEmpty() ? behind(statement) : notReady;
        }
    }

    private ConsumerRecord<byte[], byte[]> last(String topic) {
        return tails.computeIfAbsent(topic, t -> new TopicTail(migration, t)).last();
    }

    private static String notReady(Statement statement, Set<TableId> tables) throws SQLException, StoppedException {
        Set<TableId> missingTables = new HashSet<>(tables);
        try (ResultSet row = statement.executeQuery(
                "SELECT schema_name, table_name, stopped_because, ready_at IS NOT NULL FROM wherry.relation")) {
            while (row.next()) {
                TableId table = new TableId(row.getString(1), row.getString(2));
                if (row.getString(3) != null) {
                    throw new StoppedException(table + " has stopped: " + row.getString(3));
                }
                if (row.getBoolean(4)) {
                    missingTables.remove(table);
                }
            }
        }
        return missingTables.isEmpty() ? "" : "not loaded and indexed: " + missingTables;
    }

    private String behind(Statement statement) throws SQLException, ExecutionException, InterruptedException {
        Map<TopicPartition, Long> checkpoints = new HashMap<>();
        try (ResultSet row = statement.executeQuery("SELECT r.topic, p.number, coalesce(c.next_offset, -1)"
                + " FROM wherry.relation r CROSS JOIN LATERAL generate_series(0, r.partitions - 1) AS p (number)"
                + " LEFT JOIN wherry.checkpoint c ON c.partition = p.number AND c.topic = r.topic")) {
            while (row.next()) {
                checkpoints.put(new TopicPartition(row.getString(1), row.getInt(2)), row.getLong(3));
            }
        }
        for (Map.Entry<TopicPartition, Long> end : ends(checkpoints.keySet()).entrySet()) {
            if (checkpoints.get(end.getKey()) < end.getValue()) {
                return end.getKey() + " is applied up to " + checkpoints.get(end.getKey()) + " of " + end.getValue();
            }
        }
        return "";
    }

    /** High watermarks: a transaction that is still open or was aborted must have been passed too. */
    private Map<TopicPartition, Long> ends(Set<TopicPartition> partitions)
            throws ExecutionException, InterruptedException {
        return admin
                .listOffsets(partitions.stream().collect(Collectors.toMap(p -> p, p -> OffsetSpec.latest())))
                .all()
                .get()
                .entrySet()
                .stream()
                .collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().offset()));
    }

    /** Topics of the changes of every table. */
    List<String> changeTopics() throws SQLException {
        try (Connection session = Sessions.open(migration, target, "soak");
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT topic FROM wherry.relation ORDER BY topic")) {
            List<String> topics = new ArrayList<>();
            while (row.next()) {
                topics.add(row.getString(1));
            }
            return topics;
        }
    }

    @Override
    public void close() {
        tails.values().forEach(TopicTail::close);
        admin.close();
    }
}
