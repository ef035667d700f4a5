package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Pieces;
import io.wherry.coordinator.schema.Sequences;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Repeater;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Notes in the control topic what no stream carries, as last seen: values of sequences, and how many large objects there are. Once a
 * minute, if anything has changed; and with the switch ({@code CutoverActs}).
 */
public record LastSeenNote(Flow flow, Progress progress) implements Repeater.Work {
    private static final long POLL_MILLIS = 1_000;
    private static final long PERIOD_MILLIS = 60_000;

    @Override
    public void run(Repeater repeater) throws SQLException, InterruptedException {
        while (!repeater.closing() && !progress.hasLoadPlan()) {
            repeater.pause(POLL_MILLIS);
        }
        if (repeater.closing()) {
            return;
        }
        LastSeen before = null;
        Set<TableId> known = Set.of();
        long dueMillis = MonotonicClock.millis();
        try (ControlTopicWriter control = new ControlTopicWriter(flow.migration())) {
            while (!repeater.closing()) {
                Map<TableId, LoadPlan.Table> tables = progress.tables();
                if (MonotonicClock.millis() >= dueMillis || !tables.keySet().equals(known)) {
                    LastSeen now;
                    // A session that stays open would hold a connection for a question a minute.
                    try (Connection source = Sessions.open(flow.migration(), flow.from(), "last seen")) {
                        now = read(
                                flow,
                                source,
                                tables.values().stream()
                                        .map(LoadPlan.Table::topic)
                                        .toList());
                    }
                    if (before == null || !before.saysTheSame(now)) {
                        write(control, now);
                        before = now;
                    }
                    known = tables.keySet();
                    dueMillis = MonotonicClock.millis() + PERIOD_MILLIS;
                }
                repeater.pause(POLL_MILLIS);
            }
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
                Sequences.values(source),
                Queries.number(source, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"),
                extensions,
                TopicIdentities.of(flow.migration(), all));
    }

    /** Writes it to the control topic. */
    public static void write(ControlTopicWriter control, LastSeen seen) {
        for (Pieces.Piece piece : Pieces.of(seen.lsn().value(), seen)) {
            control.write(LastSeen.KEY, piece);
        }
    }
}
