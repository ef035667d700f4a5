package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.TopicsSeen;
import io.wherry.contract.service.Interruption;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What would make a rebuild incomplete or impossible, found before anything is written. Every reason is named, not only the first. */
final class Checks {
    private final Flow flow;
    private final Goal goal;
    /** Tables that the new database gets, though some may not stay. */
    private final Set<TableId> made;

    private final List<Finding> findings = new ArrayList<>();

    /** @param all tables that the topics have */
    Checks(Flow flow, Goal goal, Set<TableId> all) {
        this.flow = flow;
        this.goal = goal;
        this.made = flow.migration().schema() == TargetSchemaMode.CREATE ? all : goal.ids();
    }

    /**
     * @param seen what was noted of the topics, in its order
     * @throws Refusal when there is a reason
     */
    void require(Connection target, SchemaRegistry registry, List<TopicsSeen> seen) throws Refusal, SQLException {
        target(target);
        requireTopics(registry, seen);
    }

    /**
     * Only what the topics lack.
     *
     * @throws Refusal when there is a reason
     */
    void requireTopics(SchemaRegistry registry, List<TopicsSeen> seen) throws Refusal {
        int before = findings.size();
        topics(seen);
        if (findings.size() == before) {
            schemas(registry);
        }
        if (!findings.isEmpty()) {
            throw new Refusal(findings);
        }
    }

    private void topics(List<TopicsSeen> seen) {
        String load = flow.migration().topics().load();
        Set<String> wanted = new TreeSet<>(Set.of(load));
        goal.tables().forEach(table -> wanted.add(table.topic()));
        Map<String, String> ids = TopicIdentities.of(flow.migration(), wanted);
        for (String topic : wanted) {
            if (!ids.containsKey(topic)) {
                lost(topic, "was deleted");
            }
        }
        Set<String> there = new TreeSet<>(ids.keySet());
        beginnings(there).forEach((topic, beginning) -> {
            if (beginning > 0) {
                gone(topic, "has lost its first records, by retention or by hand");
            }
        });
        compacted(there).forEach(topic -> gone(topic, "is compacted, which removes records"));
        if (there.contains(load)
                && seen.stream()
                        .anyMatch(one ->
                                !one.topics().getOrDefault(load, ids.get(load)).equals(ids.get(load)))) {
            gone(load, "was deleted and re-created");
        }
        goal.tables().stream()
                .filter(table -> there.contains(table.topic()))
                .forEach(table -> identity(table, ids, seen));
    }

    /** A topic that was re-created since its table was loaded has lost changes, though it begins at its first record. */
    private void identity(Goal.Table table, Map<String, String> ids, List<TopicsSeen> seen) {
        boolean noted = false;
        for (TopicsSeen one : seen) {
            String id = one.topics().get(table.topic());
            if (id != null && !table.snapshotLsn().isAfter(one.lsn())) {
                noted = true;
                if (!id.equals(ids.get(table.topic()))) {
                    lost(table.topic(), "was deleted and re-created");
                    return;
                }
            }
        }
        if (!noted) {
            findings.add(Finding.error(
                    "topic " + table.topic(),
                    "it is not known yet whether this is the topic that the table's changes were written to",
                    "Let the coordinator run for two minutes after the load; it notes the ids of the topics"));
        }
    }

    private void gone(String topic, String problem) {
        findings.add(Finding.error(
                "topic " + topic,
                problem,
                "These topics cannot make a database any more; migrate again under another name"));
    }

    private void lost(String topic, String problem) {
        List<TableId> tables = goal.tables().stream()
                .filter(table -> table.topic().equals(topic))
                .map(Goal.Table::id)
                .toList();
        findings.add(Finding.error(
                "topic " + topic,
                problem,
                "While the migration runs, re-load what it held: "
                        + (tables.isEmpty() ? "wherry reload --all" : Remedies.reload(tables.get(0)))));
    }

    private Map<String, Long> beginnings(Set<String> topics) {
        Map<String, Long> first = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(flow.migration(), Map.of())) {
            List<TopicPartition> partitions = topics.stream()
                    .flatMap(topic -> consumer.partitionsFor(topic).stream())
                    .map(info -> new TopicPartition(info.topic(), info.partition()))
                    .toList();
            consumer.beginningOffsets(partitions)
                    .forEach((partition, offset) -> first.merge(partition.topic(), offset, Long::max));
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the beginnings of topics", e);
        }
        return first;
    }

    private List<String> compacted(Set<String> topics) {
        List<ConfigResource> asked = topics.stream()
                .map(topic -> new ConfigResource(ConfigResource.Type.TOPIC, topic))
                .toList();
        try (Admin admin = KafkaClients.admin(flow.migration())) {
            Map<ConfigResource, Config> found =
                    admin.describeConfigs(asked).all().get();
            return found.entrySet().stream()
                    .filter(entry ->
                            entry.getValue().get("cleanup.policy").value().contains("compact"))
                    .map(entry -> entry.getKey().name())
                    .sorted()
                    .toList();
        } catch (ExecutionException | KafkaException e) {
            throw KafkaFailures.explain("read the settings of topics", e);
        } catch (InterruptedException e) {
            throw Interruption.during("read the settings of topics", e);
        }
    }

    private void schemas(SchemaRegistry registry) {
        Set<String> filled = new TreeSet<>();
        goal.ends().stream().filter(end -> end.offset() > 0).forEach(end -> filled.add(end.topic()));
        for (String topic : filled) {
            if (registry.latest(topic + "-value").isEmpty()) {
                findings.add(Finding.error(
                        "schema registry",
                        "has no schema for " + topic + "-value, so the records of this topic cannot be read",
                        "Check registry.url; a registry that was emptied must be restored with its ids"));
            }
        }
    }

    private void target(Connection target) throws SQLException {
        if (Queries.truth(target, "SELECT pg_catalog.to_regclass('wherry.migration') IS NOT NULL")
                && !Queries.strings(target, "SELECT name FROM wherry.migration").isEmpty()) {
            findings.add(Finding.error(
                    "target " + flow.to(), "belongs to a migration already", "Name an empty database of its own"));
            return;
        }
        if (!Queries.truth(
                target, "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')")) {
            findings.add(Finding.error(
                    "target " + flow.to(),
                    "the role may not create schemas",
                    "GRANT CREATE ON DATABASE to the role, or use the owner of the database"));
        }
        boolean create = flow.migration().schema() == TargetSchemaMode.CREATE;
        for (TableId table : made) {
            String name = table.quoted();
            boolean exists = Queries.truth(target, "SELECT pg_catalog.to_regclass(?) IS NOT NULL", name);
            if (create && exists) {
                findings.add(Finding.error(
                        "table " + table, "exists on the target", "Name an empty database, or DROP TABLE " + name));
            } else if (!create && !exists) {
                findings.add(Finding.error(
                        "table " + table,
                        "does not exist on the target, and target.schema is existing",
                        "Create the tables there, as for the first target"));
            } else if (!create && Queries.truth(target, "SELECT EXISTS (SELECT FROM " + name + ")")) {
                findings.add(Finding.error("table " + table, "holds rows on the target", "TRUNCATE " + name));
            }
        }
    }
}
