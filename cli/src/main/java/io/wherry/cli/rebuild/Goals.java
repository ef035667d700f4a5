package io.wherry.cli.rebuild;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.LastSeenHistory;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** Decides what a rebuild makes. */
final class Goals {
    private static final String LET_IT_RUN = "Let the source-connector run until its position has passed the load";

    private Goals() {}

    /**
     * Everything that is in Kafka now.
     *
     * @param follow whether the database goes on from there with whatever comes
     * @throws Refusal when the topics do not hold a whole database
     */
    static Goal now(Migration migration, History history, boolean follow) throws Refusal {
        Position position = requireWhole(migration, history);
        return decide(migration, history, null, position.commitLsn(), position.commitMillis(), follow);
    }

    private static Position requireWhole(Migration migration, History history) throws Refusal {
        requireSchema(history);
        List<Finding> findings = new ArrayList<>(incomplete(history));
        if (history.position().isEmpty()) {
            findings.add(Finding.error("topic " + migration.topics().position(), "holds no position yet", LET_IT_RUN));
        }
        if (!findings.isEmpty()) {
            throw new Refusal(findings);
        }
        return history.position().orElseThrow();
    }

    /**
     * Everything that committed at or before the moment.
     *
     * @throws Refusal when the topics do not hold the database of that moment
     */
    static Goal at(Migration migration, SchemaRegistry registry, History history, String asked) throws Refusal {
        requireWhole(migration, history);
        Set<TopicPartition> partitions = new HashSet<>();
        history.tables().forEach((id, plan) -> partitions.addAll(partitions(History.table(plan, id))));
        Set<String> there = TopicIdentities.of(
                        migration,
                        partitions.stream().map(TopicPartition::topic).toList())
                .keySet();
        partitions.removeIf(partition -> !there.contains(partition.topic()));
        Commits.Last last = new Commits(migration, registry, Moment.parse(asked))
                .find(partitions)
                .orElse(new Commits.Last(Lsn.ZERO, 0, Lsn.ZERO));
        requireLoadedBefore(history, last.cut());
        // A load holds what committed up to its snapshot, and no commit comes between that and the cut.
        Lsn until =
                history.tables().values().stream().map(LoadPlan::snapshotLsn).reduce(last.commit(), Lsn::max);
        return decide(migration, history, asked, until, last.millis(), false);
    }

    private static void requireLoadedBefore(History history, Lsn cut) throws Refusal {
        List<TableId> later = history.tables().entrySet().stream()
                .filter(planned -> planned.getValue().snapshotLsn().isAfter(cut))
                .map(Map.Entry::getKey)
                .toList();
        if (!later.isEmpty()) {
            Lsn earliest = history.tables().values().stream()
                    .map(LoadPlan::snapshotLsn)
                    .reduce(Lsn.ZERO, Lsn::max);
            throw new Refusal(
                    "--until",
                    "the last load of " + later.stream().map(TableId::toString).collect(Collectors.joining(", "))
                            + " came after this moment, and holds no earlier rows",
                    "The earliest possible moment is " + earliest);
        }
    }

    private static List<TopicPartition> partitions(LoadPlan.Table table) {
        return IntStream.range(0, table.partitions())
                .mapToObj(partition -> new TopicPartition(table.topic(), partition))
                .toList();
    }

    private static List<Finding> incomplete(History history) {
        return history.tables().keySet().stream()
                .filter(table -> !history.loaded().contains(table))
                .map(table -> Finding.error(
                        "table " + table,
                        "its load is not complete in Kafka",
                        "Let the source-connector finish the load, or " + Remedies.retry(table)))
                .toList();
    }

    private static void requireSchema(History history) throws Refusal {
        if (history.schema().events().isEmpty()) {
            throw new Refusal(
                    "schema",
                    "the control topic does not hold the schema of the first target: an earlier version of Wherry has made it",
                    "Migrate again under another name; a migration that this version starts keeps its schema in Kafka");
        }
    }

    private static Goal decide(
            Migration migration, History history, String asked, Lsn until, long millis, boolean follow) throws Refusal {
        List<Finding> findings = new ArrayList<>();
        List<Goal.Table> tables = new ArrayList<>();
        for (Map.Entry<TableId, LoadPlan> planned : history.tables().entrySet()) {
            TableId id = planned.getKey();
            LoadPlan plan = planned.getValue();
            if (plan.snapshotLsn().isAfter(until)) {
                findings.add(Finding.error(
                        "table " + id,
                        "its last load is as of " + plan.snapshotLsn() + ", which is after " + until,
                        LET_IT_RUN));
            }
            LoadPlan.Table table = History.table(plan, id);
            tables.add(new Goal.Table(
                    id, table.topic(), table.partitions(), Goal.epochs(id, history.plans()), plan.snapshotLsn()));
        }
        if (!findings.isEmpty()) {
            throw new Refusal(findings);
        }
        return new Goal(
                migration.name(),
                asked,
                until,
                millis,
                history.only(),
                tables,
                ends(migration, tables),
                follow,
                history.lastEpoch(),
                history.schema().events().get(0).searchPath(),
                lastSeenCut(migration),
                lastSeen(migration, until));
    }

    private static boolean lastSeenCut(Migration migration) {
        String topic = migration.topics().lastSeen();
        if (TopicIdentities.of(migration, Set.of(topic)).isEmpty()) {
            return false;
        }
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            TopicPartition only = new TopicPartition(topic, 0);
            return consumer.beginningOffsets(Set.of(only)).get(only) > 0;
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the beginning of topic " + topic, e);
        }
    }

    private static LastSeen lastSeen(Migration migration, Lsn until) {
        String topic = migration.topics().lastSeen();
        if (TopicIdentities.of(migration, Set.of(topic)).isEmpty()) {
            return null;
        }
        try (TopicTail tail = new TopicTail(migration, topic)) {
            LastSeenHistory history = new LastSeenHistory(until);
            tail.readAll(history::see);
            return history.known().orElse(null);
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read topic " + topic, e);
        }
    }

    /**
     * The ends of all records, committed or not: a commit is confirmed before its marker is in every partition. A reader of committed
     * records comes there once each transaction has ended.
     */
    private static List<Goal.End> ends(Migration migration, List<Goal.Table> tables) {
        // Checks names the topics that are gone; asking for their ends would wait for a minute.
        Set<String> there = TopicIdentities.of(
                        migration, tables.stream().map(Goal.Table::topic).toList())
                .keySet();
        List<TopicPartition> partitions = new ArrayList<>();
        for (Goal.Table table : tables) {
            for (int i = 0; there.contains(table.topic()) && i < table.partitions(); i++) {
                partitions.add(new TopicPartition(table.topic(), i));
            }
        }
        try (KafkaConsumer<byte[], byte[]> all =
                KafkaClients.consumer(migration, Map.of("isolation.level", "read_uncommitted"))) {
            return all.endOffsets(partitions).entrySet().stream()
                    .map(end -> new Goal.End(end.getKey().topic(), end.getKey().partition(), end.getValue()))
                    .toList();
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the ends of topics", e);
        }
    }
}
