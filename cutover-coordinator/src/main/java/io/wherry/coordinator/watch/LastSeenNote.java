package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Pieces;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Repeater;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notes in the control topic what no stream carries, as last seen: values of sequences, and how many large objects there are. Once a
 * minute, if anything has changed; and with the switch ({@code CutoverActs}).
 */
public record LastSeenNote(Flow flow, Progress progress) implements Repeater.Work {
    private static final Logger LOG = LoggerFactory.getLogger(LastSeenNote.class);
    private static final String SEQUENCES = """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'wherry'
               AND CASE c.relkind WHEN 'S' THEN has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT') END
             ORDER BY 1, 2
            """;
    private static final long POLL_MILLIS = 1_000;
    private static final long PERIOD_MILLIS = 60_000;
    private static final long AFTER_FAILURE_MILLIS = 5_000;

    @Override
    public void run(Repeater repeater) throws InterruptedException {
        while (!repeater.closing() && !progress.hasLoadPlan()) {
            repeater.pause(POLL_MILLIS);
        }
        if (repeater.closing()) {
            return;
        }
        LastSeen before = null;
        Map<TableId, Integer> known = Map.of();
        long dueMillis = MonotonicClock.millis();
        String problem = "";
        while (!repeater.closing()) {
            Map<TableId, Integer> loads = progress.wanted();
            Map<TableId, LoadPlan.Table> tables = progress.tables();
            // A topic's id counts for a load if it was noted after the load's snapshot.
            boolean loaded = !loads.equals(known);
            if (MonotonicClock.millis() >= dueMillis || problem.isEmpty() && loaded) {
                try {
                    before = note(
                            loaded ? null : before,
                            tables.values().stream().map(LoadPlan.Table::topic).toList());
                    problem = "";
                    known = loads;
                    dueMillis = MonotonicClock.millis() + PERIOD_MILLIS;
                } catch (SQLException | WherryException | KafkaException e) {
                    // Told here alone: the migration does not depend on what only a rebuild needs.
                    if (!problem.equals(e.getMessage())) {
                        problem = String.valueOf(e.getMessage());
                        LOG.warn("What no stream carries is not noted in Kafka; Wherry tries again: {}", problem);
                    }
                    dueMillis = MonotonicClock.millis() + AFTER_FAILURE_MILLIS;
                }
            }
            repeater.pause(POLL_MILLIS);
        }
    }

    /** Writes what there is, if it is not what was written before. A session that stays open would hold a connection for it. */
    private LastSeen note(LastSeen before, Collection<String> topics) throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "last seen")) {
            LastSeen now = read(flow, source, topics);
            if (before != null && before.saysTheSame(now)) {
                return before;
            }
            try (ControlTopicWriter control = new ControlTopicWriter(flow.migration())) {
                write(control, now);
            }
            return now;
        }
    }

    /**
     * What there is now.
     *
     * @param topics of the tables
     */
    public static LastSeen read(Flow flow, Connection source, Collection<String> topics) throws SQLException {
        Lsn lsn = Lsn.parse(Queries.string(source, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text")
                .orElseThrow());
        long millis = Queries.number(source, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        Set<String> all = new HashSet<>(topics);
        all.add(flow.migration().topics().load());
        List<TableId> extensions = Catalog.ofExtensions(source).stream()
                .map(table -> table.table().id())
                .filter(flow.migration().tables()::selects)
                .toList();
        return new LastSeen(
                flow.generation(),
                lsn,
                millis,
                sequences(source),
                Queries.number(source, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"),
                extensions,
                TopicIdentities.of(flow.migration(), all));
    }

    private static List<LastSeen.Sequence> sequences(Connection source) throws SQLException {
        Queries.execute(source, "SET lock_timeout = '1s'");
        List<LastSeen.Sequence> values = new ArrayList<>();
        for (TableId id : Queries.list(source, row -> new TableId(row.getString(1), row.getString(2)), SEQUENCES)) {
            values.addAll(Queries.list(
                    source,
                    row -> new LastSeen.Sequence(id, row.getLong(1), row.getBoolean(2)),
                    "SELECT last_value, is_called FROM " + id.quoted()));
        }
        return values;
    }

    /** Writes it to the control topic. */
    public static void write(ControlTopicWriter control, LastSeen seen) {
        for (Pieces.Piece piece : Pieces.of(seen.lsn().value(), seen)) {
            control.write(LastSeen.KEY, piece);
        }
    }
}
