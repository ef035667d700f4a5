package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
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
 * Whether the source still holds everything of the source that is in Kafka. Counterexample: commits up to 0/500 are in Kafka, the
 * machine of the source fails, and a standby that had reached 0/400 is promoted, with a copy of Wherry's slot. Its new commits from
 * 0/400 to 0/500 would be dropped as already sent, and the lost commits would stay on the target.
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

    private static final String RELOAD = "Re-load all tables: wherry reload --all";

    private Timelines() {}

    /** The position of the source: its timeline, and the end of its write-ahead log. */
    public record TimelinePosition(Timeline timeline, Lsn end) {}

    /**
     * The newest LSN of the source in Kafka.
     *
     * @param lsn end of a commit, or of the content of a snapshot
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

    /** Empty when nothing is in Kafka, or when an older source-connector wrote the newest position without its timeline. */
    static Optional<Reached> reached(ControlLog memory, Optional<Position> position) {
        Stream<Reached> positions = position.map(p -> new Reached(p.newest(), p.timeline())).stream();
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

    // The LSN of a snapshot is one below the start of the slot.
    private static Reached after(Lsn snapshot, Timeline timeline) {
        return new Reached(new Lsn(snapshot.value() + 1), timeline);
    }

    /**
     * Fills the write-ahead log with messages until its end is after an LSN. What a new slot sends must have higher LSNs than what
     * Kafka holds, whatever its timeline. No reader needs the messages. Does nothing if more than {@link #MOST_FILLED} bytes are
     * missing.
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

    /** @throws DataException when the source does not hold what is in Kafka */
    static void check(CaptureGroup group, Connection session, Optional<Reached> reached) throws SQLException {
        if (reached.isPresent()) {
            TimelinePosition now = read(session);
            boolean moved = now.timeline().number() != reached.get().timeline().number();
            require(reached.get(), now, moved ? history(group, now.timeline()) : Map.of());
        }
    }

    /**
     * @param ends where each earlier timeline ended
     * @throws DataException when the source does not hold what is in Kafka
     */
    static void require(Reached reached, TimelinePosition now, Map<Integer, Lsn> ends) {
        Timeline then = reached.timeline();
        if (!then.system().equals(now.timeline().system())) {
            throw lost("Kafka holds changes of system " + then.system() + ", but this is system "
                    + now.timeline().system());
        }
        if (then.number() != now.timeline().number()) {
            Lsn left = ends.get(then.number());
            if (left == null) {
                throw lost("Kafka holds changes of timeline " + then.number()
                        + ", which is not in the history of this server's timeline "
                        + now.timeline().number());
            }
            if (reached.lsn().isAfter(left)) {
                throw lost("Kafka holds changes up to " + reached.lsn() + " of timeline " + then.number()
                        + ", but this server's timeline " + now.timeline().number() + " branched off at " + left
                        + ": in a failover, the source has lost commits");
            }
        } else if (reached.lsn().isAfter(now.end())) {
            throw lost("Kafka holds changes up to " + reached.lsn() + ", but the log of this server ends at "
                    + now.end() + ": the source has lost commits");
        }
    }

    private static DataException lost(String problem) {
        return new DataException("stream changes", "the source", problem, RELOAD);
    }

    private static Map<Integer, Lsn> history(CaptureGroup group, Timeline now) throws SQLException {
        try (Connection replication = Sessions.openReplication(group.migration(), group.from(), "timeline");
                Statement statement = replication.createStatement();
                ResultSet row = statement.executeQuery("TIMELINE_HISTORY " + now.number())) {
            row.next();
            return parse(row.getString("content"));
        }
    }

    /** Where each earlier timeline ended, from the text of a history file: number, LSN and reason on each line. */
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
