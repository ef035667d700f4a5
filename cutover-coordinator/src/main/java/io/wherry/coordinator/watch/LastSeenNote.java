package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.Pieces;
import io.wherry.coordinator.schema.Sequences;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.Repeater;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

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
        try (ControlTopicWriter control = new ControlTopicWriter(flow.migration())) {
            while (!repeater.closing()) {
                LastSeen now;
                // A session that stays open would hold a connection for a question a minute.
                try (Connection source = Sessions.open(flow.migration(), flow.from(), "last seen");
                        Connection target = Sessions.open(flow.migration(), flow.to(), "last seen")) {
                    now = read(flow, source, target);
                }
                if (before == null || !before.saysTheSame(now)) {
                    write(control, now);
                    before = now;
                }
                repeater.pause(PERIOD_MILLIS);
            }
        }
    }

    /** What there is now. */
    public static LastSeen read(Flow flow, Connection source, Connection target) throws SQLException {
        Lsn lsn = Lsn.parse(Queries.string(source, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text")
                .orElseThrow());
        long millis = Queries.number(source, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        List<String> topics = Queries.strings(target, "SELECT topic FROM wherry.relation");
        topics.add(flow.migration().topics().load());
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
                TopicIdentities.of(flow.migration(), topics));
    }

    /** Writes it to the control topic. */
    public static void write(ControlTopicWriter control, LastSeen seen) {
        for (Pieces.Piece piece : Pieces.of(seen.lsn().value(), seen)) {
            control.write(LastSeen.KEY, piece);
        }
    }
}
