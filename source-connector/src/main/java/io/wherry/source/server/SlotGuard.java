package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import io.wherry.contract.service.Interruption;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic.SourceIdentity;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks, before each start of the stream, that slot, publication and server are those of the position in Kafka. Debezium would
 * continue with any slot, and lose changes silently.
 */
public final class SlotGuard {
    private static final Logger LOG = LoggerFactory.getLogger(SlotGuard.class);
    private static final long POLL_MILLIS = 500;
    private static final String RELOAD =
            "What is still on the source is not lost: wherry reload --all creates a new slot"
                    + " and re-loads all tables; until then the target stays behind";

    private SlotGuard() {}

    /** The database that the session is connected to. */
    public static SourceIdentity identity(CaptureGroup group, Connection session) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT system_identifier::text,"
                        + " pg_catalog.current_database() FROM pg_catalog.pg_control_system()");
                ResultSet row = statement.executeQuery()) {
            row.next();
            return new SourceIdentity(group.flow().generation(), row.getString(1), row.getString(2));
        }
    }

    /**
     * Of all that {@link #check} looks at, only whether the source holds what Kafka has of it.
     *
     * @throws DataException when it does not
     * @throws RetryableException when the source does not answer
     */
    public static void checkHistory(CaptureGroup group, ControlLog memory, Optional<Position> position) {
        try (Connection session = Sessions.open(group.migration(), group.from(), "slot guard")) {
            Timelines.check(group, session, Timelines.reached(memory, position));
        } catch (SQLException e) {
            throw unreachable(e);
        }
    }

    /** @throws DataException when this is not the database that the migration began with */
    public static void requireSame(SourceIdentity begun, SourceIdentity now) {
        if (!begun.equals(now)) {
            throw new DataException(
                    "use the source",
                    now.database(),
                    "the migration began on system " + begun.systemIdentifier() + " database " + begun.database()
                            + ", this is system " + now.systemIdentifier(),
                    "Point source.url to the first system, or migrate this system under another name");
        }
    }

    /**
     * Waits until no other session reads the slot, then checks everything.
     *
     * @return the source's timeline
     * @throws DataException when changes were or would be lost
     * @throws RetryableException when the source does not answer
     */
    public static Timeline check(
            CaptureGroup group, ControlLog memory, Optional<Position> position, BooleanSupplier closing) {
        try (Connection session = Sessions.open(group.migration(), group.from(), "slot guard")) {
            memory.source().ifPresent(begun -> requireSame(begun, identityOrRetry(group, session)));
            Timelines.check(group, session, Timelines.reached(memory, position));
            if (!Publication.exists(session, group)) {
                throw new DataException(
                        "stream changes", "publication " + group.publication(), "it was dropped", RELOAD);
            }
            ReplicationSlot.State slot = require(session, group);
            for (boolean reported = false; slot.active() && !closing.getAsBoolean(); reported = true) {
                if (!reported) {
                    LOG.info("slot {} is still in use by an earlier session; ending it", group.slot());
                    // This process holds the instance lock, so no other source-connector may read the slot. The server
                    // may
                    // take a minute to notice that an earlier reader is gone.
                    ReplicationSlot.endReader(session, group.slot());
                }
                Thread.sleep(POLL_MILLIS);
                slot = require(session, group);
            }
            requireNotBeyond(slot, group, memory, position);
            return Timelines.read(session).timeline();
        } catch (SQLException e) {
            throw unreachable(e);
        } catch (InterruptedException e) {
            throw Interruption.during("wait for the slot", e);
        }
    }

    private static SourceIdentity identityOrRetry(CaptureGroup group, Connection session) {
        try {
            return identity(group, session);
        } catch (SQLException e) {
            throw unreachable(e);
        }
    }

    private static ReplicationSlot.State require(Connection session, CaptureGroup group) throws SQLException {
        ReplicationSlot.State slot = ReplicationSlot.find(session, group.slot())
                .orElseThrow(() -> lost(group, "it was dropped, so changes were lost"));
        if (!slot.plugin().equals(ReplicationSlot.PLUGIN) || !slot.database().equals(session.getCatalog())) {
            throw lost(
                    group,
                    "it does not belong to Wherry: plugin '" + slot.plugin() + "', database '" + slot.database() + "'");
        }
        if (slot.lost()) {
            throw lost(group, slot.lostBecause());
        }
        return slot;
    }

    private static void requireNotBeyond(
            ReplicationSlot.State slot, CaptureGroup group, ControlLog memory, Optional<Position> position) {
        Optional<Lsn> limit = limit(memory, position);
        if (limit.isPresent() && slot.confirmedFlush().isAfter(limit.get())) {
            throw lost(
                    group,
                    "it is at " + slot.confirmedFlush() + ", beyond the position " + limit.get()
                            + " in Kafka: another program read or re-created it, or Kafka lost records");
        }
    }

    /** The end of what is in Kafka, whole: the slot must not be beyond it. Empty when Kafka holds nothing. */
    static Optional<Lsn> limit(ControlLog memory, Optional<Position> position) {
        Optional<Lsn> firstSnapshot =
                memory.plans().stream().map(LoadPlan::snapshotLsn).min(Comparator.naturalOrder());
        // A first source transaction that is not whole yet has a position without an end.
        Optional<Lsn> end = position.map(Position::endLsn).filter(lsn -> lsn.isAfter(Lsn.ZERO));
        // Changes up to the load's snapshot are in the load. The snapshot's LSN is one below the slot's start.
        return Stream.of(
                        end.or(() -> firstSnapshot.map(lsn -> new Lsn(lsn.value() + 1))),
                        memory.slotMade().map(made -> new Lsn(made.snapshotLsn().value() + 1)))
                .flatMap(Optional::stream)
                .max(Comparator.naturalOrder());
    }

    private static DataException lost(CaptureGroup group, String problem) {
        return new DataException("stream changes", "slot " + group.slot(), problem, RELOAD);
    }

    /**
     * @param snapshot the last commit LSN that a new slot's snapshot holds
     * @throws DataException when Kafka holds changes that this source does not: its topics would then contradict the load
     */
    public static void requireAhead(CaptureGroup group, Lsn snapshot, Optional<Position> position) {
        if (position.isPresent() && position.get().newestCommit().isAfter(snapshot)) {
            throw new DataException(
                    "reload from",
                    "slot " + group.slot(),
                    "Kafka holds changes up to " + position.get().newestCommit() + ", but this source has come only to "
                            + snapshot + ": the source has lost commits",
                    "On the source: SELECT pg_switch_wal(), again until pg_current_wal_lsn() is beyond "
                            + position.get().newestCommit() + "; then start again");
        }
    }

    private static RetryableException unreachable(SQLException e) {
        return new RetryableException("check", "the slot", e.getMessage(), "Check that the source is reachable", e);
    }
}
