package io.wherry.coordinator.watch;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.SourceStatus;
import io.wherry.coordinator.schema.SchemaDrift;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** What other threads report to the coordinator's thread; immutable. */
public sealed interface Observation {
    /** Calls the receiver's method for this kind of observation. */
    void giveTo(Receiver receiver) throws SQLException;

    /** Acts on observations. One method for each kind: a new kind compiles only once its effect is written. */
    interface Receiver {
        void see(Positioned seen) throws SQLException;

        void see(Reported seen) throws SQLException;

        void see(HeartbeatEmitted seen) throws SQLException;

        void see(IdentitiesTaken seen) throws SQLException;

        void see(HeartbeatArrived seen) throws SQLException;

        void see(AppliedToOthers seen) throws SQLException;

        void see(TargetSeen seen) throws SQLException;

        void see(Built seen) throws SQLException;

        void see(SchemaSeen seen) throws SQLException;

        void see(Followed seen) throws SQLException;

        void see(SchemasCompared seen) throws SQLException;

        void see(Tried seen) throws SQLException;

        void see(AfterwardsDone seen) throws SQLException;

        void see(Failed seen) throws SQLException;

        void see(StepDone seen) throws SQLException;

        void see(StepFailed seen) throws SQLException;

        void see(Command seen) throws SQLException;
    }

    /**
     * A transaction of a source-connector is committed in Kafka.
     *
     * @param commitLsn every source transaction up to it is in Kafka
     */
    record Positioned(Lsn commitLsn, long seenMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** The source-connector reports its own state. */
    record Reported(SourceStatus status) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A heartbeat was emitted on the source; with what the source reports of the slot. */
    record HeartbeatEmitted(Lsn lsn, long emittedMillis, Slot slot) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * The replica identities that the migration has changed on the source, and not restored.
     *
     * @param restoring the statements that restore them
     */
    record IdentitiesTaken(List<String> restoring) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A heartbeat's effect reached the target. */
    record HeartbeatArrived(Lsn lsn, long emittedMillis, long tookMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * Everything up to the LSN is on the target, except changes of tables that have stopped until the operator acts.
     *
     * @param stopped those tables
     */
    record AppliedToOthers(Lsn lsn, Set<TableId> stopped) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * @param behind change records not applied; null = unknown
     * @param lags of the tables that are planned
     * @param lost commits that the target lost, for people; null = none
     */
    record TargetSeen(List<TableProgress> relations, Long behind, Map<TableId, TableLag> lags, String lost)
            implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A piece of index building ended; problem null = success. */
    record Built(TableId table, double seconds, String problem) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** The tables of both sides were compared. */
    record SchemaSeen(SchemaDrift drift) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A difference in schema was handled; problem null = the difference is gone. */
    record Followed(String object, String problem) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * The schemas' dumps were compared.
     *
     * @param differences what is not followed, for people; null = as before
     * @param problem why the comparison failed; null = success
     */
    record SchemasCompared(List<String> differences, String problem, long tookMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * The statements of the switch were tried.
     *
     * @param refused what the target would refuse, as text for people
     * @param problem why the trial failed; empty = success
     */
    record Tried(List<String> refused, String problem, long tookMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** All work after COMPLETED has ended. */
    record AfterwardsDone() implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** An observer failed, and will try again. */
    record Failed(String problem) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A step of the cutover ended. */
    sealed interface StepEnded extends Observation {
        /** The journal's row that started the step. */
        long row();
    }

    /**
     * The step succeeded.
     *
     * @param committed whether the step has written the journal's next row itself
     * @param detail for the next row
     */
    record StepDone(long row, boolean committed, Map<String, ?> detail) implements StepEnded {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** The step failed. */
    record StepFailed(long row, String problem) implements StepEnded {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * A request of the operator: an action for the coordinator's thread.
     *
     * @param refuse gets the reason if this process has no acting coordinator
     * @param sinceMillis when the request was made, by {@code MonotonicClock}
     */
    record Command(Action action, Consumer<String> refuse, long sinceMillis) implements Observation {
        /** The action. */
        public interface Action {
            void run() throws SQLException;
        }

        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * @param retainedBytes write-ahead log kept for the slot; null without slot
     * @param walStatus {@code reserved}, {@code extended}, {@code unreserved}, {@code lost}; null before version 13
     * @param keepBytes {@code max_slot_wal_keep_size}; null without limit and before 13
     * @param safeBytes that can be written before the slot may be lost; null without limit and before 13
     * @param idleSeconds until the slot is lost because no client reads it; null while a client reads it, without limit, and before 18
     * @param invalidation why the slot is lost; null before 17
     */
    record Slot(
            Long retainedBytes,
            boolean active,
            String walStatus,
            Long keepBytes,
            Long safeBytes,
            Long idleSeconds,
            String invalidation) {
        public static final Slot MISSING = new Slot(null, false, null, null, null);

        public Slot(Long retainedBytes, boolean active, String walStatus, Long keepBytes, Long safeBytes) {
            this(retainedBytes, active, walStatus, keepBytes, safeBytes, null, null);
        }
    }

    /** The progress of a table on the target. */
    record TableProgress(
            TableId table,
            int epoch,
            int chunks,
            int chunksDone,
            long rowsLoaded,
            long bytesLoaded,
            boolean ready,
            String stoppedBecause,
            long inserts,
            long updates,
            long deletes) {
        public boolean loaded() {
            return chunksDone >= chunks;
        }
    }
}
