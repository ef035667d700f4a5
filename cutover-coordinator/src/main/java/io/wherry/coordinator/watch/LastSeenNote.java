package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Pieces;
import io.wherry.contract.record.SchemaLog;
import io.wherry.contract.record.TopicsSeen;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Repeater;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notes in Kafka what no stream carries, as last seen, and which topics hold the rows. Once a minute, what has changed; once an hour
 * everything; and with the switch ({@code AfterSwitch}). Notes nothing of a migration that an earlier version has begun: its topics
 * cannot make a database. Used by one thread.
 */
public final class LastSeenNote implements Repeater.Work {
    private static final Logger LOG = LoggerFactory.getLogger(LastSeenNote.class);
    private static final long POLL_MILLIS = 1_000;
    private static final long PERIOD_MILLIS = 60_000;
    private static final long WHOLE_MILLIS = 3_600_000;

    private final Flow flow;
    private final Progress progress;
    /** All that is known; null = nothing yet. */
    private LastSeen known;
    /** When everything is written again; null = now. */
    private Long wholeMillis;
    /** Ids that were written; empty = are to be written. */
    private Map<String, String> topics = Map.of();

    LastSeenNote(Flow flow, Progress progress) {
        this.flow = flow;
        this.progress = progress;
    }

    @Override
    public void run(Repeater repeater) throws SQLException, InterruptedException {
        while (!repeater.closing() && !progress.hasLoadPlan()) {
            repeater.pause(POLL_MILLIS);
        }
        boolean kept = isKept(repeater);
        Lsn noted = Lsn.ZERO;
        long dueMillis = MonotonicClock.millis();
        String problem = "";
        while (!repeater.closing()) {
            // A topic's id counts for a load if it was noted after the load's snapshot. The epochs would not do:
            // an order to load again raises them before the load.
            Lsn snapshot = progress.snapshot();
            boolean loaded = !snapshot.equals(noted);
            if (kept && (MonotonicClock.millis() >= dueMillis || problem.isEmpty() && loaded)) {
                try {
                    note(loaded);
                    problem = "";
                    noted = snapshot;
                } catch (SQLException | WherryException | KafkaException e) {
                    // A part of it may be in Kafka or not.
                    wholeMillis = null;
                    // Told here alone: the migration does not depend on what only a rebuild needs.
                    if (!problem.equals(e.getMessage())) {
                        problem = String.valueOf(e.getMessage());
                        LOG.warn("What no stream carries is not noted in Kafka; Wherry tries again: {}", problem);
                    }
                }
                dueMillis = MonotonicClock.millis() + PERIOD_MILLIS;
            }
            repeater.pause(POLL_MILLIS);
        }
    }

    /** Waits until the target is prepared. */
    private boolean isKept(Repeater repeater) throws SQLException, InterruptedException {
        while (!repeater.closing()) {
            try (Connection target = Sessions.open(flow.migration(), flow.to(), "last seen")) {
                if (Queries.truth(target, "SELECT pg_catalog.to_regclass('wherry.migration') IS NOT NULL")) {
                    return SchemaLog.exists(target);
                }
            }
            repeater.pause(POLL_MILLIS);
        }
        return false;
    }

    private void note(boolean loaded) throws SQLException {
        LastSeen now;
        // A session that stays open would hold a connection of the source for it.
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "last seen")) {
            now = LastSeenReading.read(flow, source);
        }
        Set<String> wanted = new HashSet<>();
        progress.tables().values().stream().map(LoadPlan.Table::topic).forEach(wanted::add);
        wanted.add(flow.migration().topics().load());
        Map<String, String> ids = TopicIdentities.of(flow.migration(), wanted);
        if (loaded || !ids.equals(topics)) {
            try (ControlTopicWriter control = new ControlTopicWriter(flow.migration())) {
                TopicsSeen seen = new TopicsSeen(flow.generation(), now.lsn(), ids);
                for (Pieces.Piece piece : Pieces.of(now.lsn().value(), seen)) {
                    control.write(TopicsSeen.KEY, piece);
                }
            }
            topics = ids;
        }
        LastSeen after = known == null ? now : now.after(known);
        if (known == null || wholeMillis == null || MonotonicClock.millis() >= wholeMillis) {
            write(flow.migration(), now);
            wholeMillis = MonotonicClock.millis() + WHOLE_MILLIS;
        } else {
            now.since(known).ifPresent(part -> write(flow.migration(), part));
        }
        known = after;
    }

    /** Writes a record to its topic. */
    public static void write(Migration migration, LastSeen seen) {
        try (ControlTopicWriter topic =
                new ControlTopicWriter(migration, migration.topics().lastSeen())) {
            for (Pieces.Piece piece : Pieces.of(seen.lsn().value(), seen)) {
                topic.write(LastSeen.KEY, piece);
            }
        }
    }
}
