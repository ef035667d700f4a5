package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import io.wherry.source.control.ControlLog;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Whether the source still holds what Kafka holds of it. Counterexample: commits up to 0/500 are in Kafka, the source's machine
 * fails, and a standby that had come to 0/400 is promoted, with a copy of our slot. Its new commits from 0/400 to 0/500
 * would be dropped as already sent, and what was lost stays on the target.
 */
public final class Timelines {
    private static final String NOW = """
            SELECT c.system_identifier::text, pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()),
                   pg_catalog.pg_current_wal_lsn()::text
              FROM pg_catalog.pg_control_system() c
            """;

    private static final String FILL = "SELECT pg_catalog.pg_logical_emit_message(true, 'wherry',"
            + " pg_catalog.repeat(pg_catalog.md5(pg_catalog.random()::text), 16384))";

    private static final long MOST_FILLED = 4L << 30;
    private static final int TIMELINE_DIGITS = 8;
    private static final int HEXADECIMAL = 16;

    private static final String RELOAD = "Load all tables again: wherry reload --all";

    private Timelines() {}

    /** Where the source stands: its timeline, and the end of its write-ahead log. */
    public record TimelinePosition(Timeline timeline, Lsn end) {}

    /**
     * The newest LSN that Kafka has of the source.
     *
     * @param lsn end of a commit, or of what a snapshot holds
     */
    record Reached(Lsn lsn, Timeline timeline) {}

    public static TimelinePosition read(Connection session) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(NOW);
                ResultSet row = statement.executeQuery()) {
            row.next();
            int number = Integer.parseUnsignedInt(row.getString(2).substring(0, TIMELINE_DIGITS), HEXADECIMAL);
            return new TimelinePosition(new Timeline(row.getString(1), number), Lsn.parse(row.getString(3)));
        }
    }

    /** Empty when nothing is in Kafka, or its newest was written by a source-connector that did not say of which timeline. */
    static Optional<Reached> reached(ControlLog memory, Optional<Position> position) {
        Stream<Reached> positions = position.map(p -> new Reached(p.endLsn(), p.timeline())).stream();
        Stream<Reached> plans = memory.plans().stream().map(Timelines::reached);
        Stream<Reached> slots = memory.slotMade().map(made -> after(made.snapshotLsn(), made.timeline())).stream();
        return Stream.of(positions, plans, slots)
                .flatMap(all -> all)
                .max(Comparator.comparing(Reached::lsn))
                .filter(newest -> newest.timeline() != null);
    }

    private static Reached reached(LoadPlan plan) {
        return after(plan.snapshotLsn(), plan.timeline());
    }

    // A snapshot's LSN lies one below the slot's start.
    private static Reached after(Lsn snapshot, Timeline timeline) {
        return new Reached(new Lsn(snapshot.value() + 1), timeline);
    }

    /**
     * Fills the write-ahead log with messages that nobody reads, until it is beyond an LSN: what a new slot will send must come
     * after what Kafka holds, of whatever history. Does nothing where too much is missing.
     */
    public static void passBy(Connection session, Lsn lsn) throws SQLException {
        Lsn end = read(session).end();
        if (lsn.value() - end.value() > MOST_FILLED) {
            return;
        }
        while (!end.isAfter(lsn)) {
            try (PreparedStatement statement = session.prepareStatement(FILL)) {
                statement.execute();
            }
            end = read(session).end();
        }
    }

    /** @throws DataException when the source does not hold what Kafka has of it */
    static void check(Migration migration, Connection session, Optional<Reached> reached) throws SQLException {
        if (reached.isPresent()) {
            TimelinePosition now = read(session);
            boolean moved = now.timeline().number() != reached.get().timeline().number();
            require(reached.get(), now, moved ? history(migration, now.timeline()) : Map.of());
        }
    }

    /**
     * @param ends where each earlier timeline was left
     * @throws DataException when the source does not hold what Kafka has of it
     */
    static void require(Reached reached, TimelinePosition now, Map<Integer, Lsn> ends) {
        Timeline then = reached.timeline();
        if (!then.system().equals(now.timeline().system())) {
            throw lost("Kafka holds changes of system " + then.system() + ", this is system "
                    + now.timeline().system());
        }
        if (then.number() != now.timeline().number()) {
            Lsn left = ends.get(then.number());
            if (left == null) {
                throw lost("Kafka holds changes of timeline " + then.number() + ", from which this server's timeline "
                        + now.timeline().number() + " does not come");
            }
            if (reached.lsn().isAfter(left)) {
                throw lost("Kafka holds changes up to " + reached.lsn() + " of timeline " + then.number()
                        + ", and this server's timeline " + now.timeline().number() + " left that one at " + left
                        + ": after a failover the source has lost what it once committed");
            }
        } else if (reached.lsn().isAfter(now.end())) {
            throw lost("Kafka holds changes up to " + reached.lsn() + ", this server stands at " + now.end()
                    + " only: it has lost what it once committed");
        }
    }

    private static DataException lost(String problem) {
        return new DataException("stream changes", "the source", problem, RELOAD);
    }

    private static Map<Integer, Lsn> history(Migration migration, Timeline now) throws SQLException {
        try (Connection replication = Sessions.openReplication(migration, migration.source(), "timeline");
                Statement statement = replication.createStatement();
                ResultSet row = statement.executeQuery("TIMELINE_HISTORY " + now.number())) {
            row.next();
            return parse(row.getString("content"));
        }
    }

    /** Where each earlier timeline was left, by the text of a history file: number, LSN and reason on each line. */
    static Map<Integer, Lsn> parse(String history) {
        Map<Integer, Lsn> ends = new HashMap<>();
        for (String line : history.split("\n")) {
            String[] fields = line.strip().split("\\s+", 3);
            if (fields.length >= 2 && !fields[0].startsWith("#")) {
                ends.put(Integer.parseInt(fields[0]), Lsn.parse(fields[1]));
            }
        }
        return ends;
    }
}
