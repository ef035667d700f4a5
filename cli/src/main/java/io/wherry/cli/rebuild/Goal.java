package io.wherry.cli.rebuild;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.LoadPlan;
import io.wherry.sink.Assignment;
import io.wherry.sink.state.Until;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;

/**
 * What a rebuild makes, decided once before its first write and kept on its target: each continuation makes the same, whatever has
 * come to the topics since.
 *
 * @param migration name of the migration
 * @param asked the moment as the operator named it; null = as late as the topics reach
 * @param until commit LSN up to which every table is made
 * @param untilMillis time of that commit on the source's clock, ms since 1970
 * @param only names and patterns of the tables as the operator gave them; empty = all tables
 * @param tables in the order of their names
 * @param ends by topic and partition, the offset up to which the partition must be read
 * @param follow whether the database follows the topics until the operator ends that
 * @param lastEpoch the last load plan of all when the goal was decided
 * @param searchPath the source's own setting of its database; empty = none
 * @param lastSeenCut whether the topic of {@code lastSeen} has lost its first records
 * @param lastSeen what no stream carries; null = was never noted
 */
record Goal(
        String migration,
        String asked,
        Lsn until,
        long untilMillis,
        List<String> only,
        List<Table> tables,
        List<End> ends,
        boolean follow,
        int lastEpoch,
        String searchPath,
        boolean lastSeenCut,
        LastSeen lastSeen) {
    Goal {
        Objects.requireNonNull(until, "until");
        only = List.copyOf(only);
        tables = List.copyOf(tables);
        ends = List.copyOf(ends);
    }

    /**
     * A table, and the load plans that bring its rows: the last one and, if that continues an earlier one, the earlier one too.
     *
     * @param snapshotLsn of the last plan
     */
    record Table(TableId id, String topic, int partitions, List<Integer> epochs, Lsn snapshotLsn) {}

    /** The end of a partition: the first offset that is not needed. */
    record End(String topic, int partition, long offset) {}

    /** Whether some tables are left out. */
    boolean isPart() {
        return !only.isEmpty();
    }

    Set<TableId> ids() {
        return tables.stream().map(Table::id).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Whom schema {@code wherry} on the new target belongs to: never the migration, whose services must not take it for theirs. */
    String owner() {
        return owner(migration);
    }

    static String owner(String migration) {
        return migration + " (rebuild)";
    }

    Assignment assignment(Until end) {
        return new Assignment(owner(), false, end, plans(), ids()::contains);
    }

    /**
     * The assignment without an end: later loads too and, unless the tables were chosen, later tables. An earlier load is left out
     * for the reason that it is left out of a rebuild: its rows may belong to another table of that name.
     */
    Assignment following() {
        UnaryOperator<LoadPlan> decided = plans();
        Predicate<TableId> wanted = isPart() ? ids()::contains : table -> true;
        return new Assignment(
                owner(),
                false,
                Until.never(),
                plan -> plan.epoch() > lastEpoch ? plan.only(wanted) : decided.apply(plan),
                wanted);
    }

    /** Leaves in a plan only the tables whose rows it brings. */
    private UnaryOperator<LoadPlan> plans() {
        Map<TableId, Set<Integer>> wanted = new HashMap<>();
        tables.forEach(table -> wanted.put(table.id(), new TreeSet<>(table.epochs())));
        return plan -> plan.only(table -> wanted.getOrDefault(table, Set.of()).contains(plan.epoch()));
    }

    /** The plans that bring a table's rows, the last first. */
    static List<Integer> epochs(TableId table, List<LoadPlan> plans) {
        List<Integer> epochs = new ArrayList<>();
        Integer wanted = null;
        for (int i = plans.size() - 1; i >= 0; i--) {
            LoadPlan plan = plans.get(i);
            LoadPlan.Table found = plan.tables().stream()
                    .filter(one -> one.id().equals(table))
                    .findFirst()
                    .orElse(null);
            if (found == null || wanted != null && wanted != plan.epoch()) {
                continue;
            }
            epochs.add(plan.epoch());
            if (found.resumed() == null) {
                break;
            }
            wanted = found.resumed().epoch();
        }
        return epochs;
    }

    Map<TopicPartition, Long> vector() {
        Map<TopicPartition, Long> vector = new HashMap<>();
        ends.forEach(end -> vector.put(new TopicPartition(end.topic(), end.partition()), end.offset()));
        return vector;
    }
}
