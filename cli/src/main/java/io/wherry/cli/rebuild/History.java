package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.name.TableNames;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaHistory;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.KafkaException;

/**
 * What the control topic and the position topic hold of a migration, at one moment.
 *
 * @param only names and patterns of the tables that are wanted; empty = all tables
 * @param plans in their order, with the tables that are wanted
 * @param loaded tables whose last load is complete in Kafka
 * @param position up to which the topics hold every source transaction; empty = none yet
 */
record History(
        List<String> only,
        List<LoadPlan> plans,
        Set<TableId> loaded,
        SchemaHistory schema,
        Optional<Position> position) {
    /** @throws Refusal when there is no such migration in Kafka */
    static History read(Migration migration) throws Refusal {
        String control = migration.topics().control();
        if (!TopicIdentities.of(migration, Set.of(control, migration.topics().position()))
                .keySet()
                .containsAll(Set.of(control, migration.topics().position()))) {
            throw new Refusal(
                    "topic " + control,
                    "the broker does not have the topics of the migration " + migration.name(),
                    "Check kafka.bootstrap.servers and name");
        }
        try (TopicTail tail = new TopicTail(migration, control)) {
            // First: whatever it covers is in the plans and in the changes that are read after it.
            Optional<Position> position =
                    Positions.last(Flow.first(migration).groups().get(0));
            ControlLog log = ControlTopic.read(migration);
            SchemaHistory schema = new SchemaHistory();
            tail.readAll(schema::see);
            return new History(List.of(), log.plans(), log.loaded().keySet(), schema, position);
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the control topic", e);
        }
    }

    /**
     * The same with some tables only.
     *
     * @throws ConfigurationException with every name that no table has
     */
    History only(List<String> named) {
        return only(named, TableNames.find(named, tables().keySet(), "migrated"));
    }

    /** The same with these tables only, which have been found by the names. */
    History only(List<String> named, Set<TableId> chosen) {
        return new History(
                named, plans.stream().map(plan -> plan.only(chosen::contains)).toList(), loaded, schema, position);
    }

    /** The last plan of each table that the first target has. */
    Map<TableId, LoadPlan> tables() {
        Map<TableId, LoadPlan> tables = new TreeMap<>();
        plans.forEach(plan -> plan.tables().forEach(table -> tables.put(table.id(), plan)));
        tables.keySet().removeAll(dropped(schema.events()));
        return tables;
    }

    /** Tables whose name belonged to another table for a time, and to none since. */
    static Set<TableId> dropped(List<SchemaEvent> events) {
        Set<TableId> dropped = new TreeSet<>();
        for (SchemaEvent event : events) {
            if (event.kind() == SchemaEvent.Kind.DROPPED) {
                dropped.addAll(event.tables());
            } else if (event.kind() == SchemaEvent.Kind.ADDED) {
                event.tables().forEach(dropped::remove);
            }
        }
        return dropped;
    }

    /** Number of the last load plan. */
    int lastEpoch() {
        return plans.stream().mapToInt(LoadPlan::epoch).max().orElse(0);
    }

    static LoadPlan.Table table(LoadPlan plan, TableId id) {
        return plan.tables().stream()
                .filter(table -> table.id().equals(id))
                .findFirst()
                .orElseThrow();
    }
}
