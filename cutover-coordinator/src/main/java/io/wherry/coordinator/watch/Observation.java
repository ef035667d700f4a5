package io.wherry.coordinator.watch;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Position;
import io.wherry.contract.record.SourceStatus;
import io.wherry.coordinator.schema.SchemaDrift;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** What the coordinator's thread is told; immutable. */
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

    /** The source-connector's transaction is committed in Kafka. */
    record Positioned(Position position, long seenMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** The source-connector speaks of itself. */
    record Reported(SourceStatus status) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A heartbeat was emitted on the source, and what the source says of the slot. */
    record HeartbeatEmitted(Lsn lsn, long emittedMillis, Slot slot) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * The replica identities that the migration has taken from tables of the source, and not given back.
     *
     * @param restoring the statements that do that
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
     * Everything up to the LSN is on the target, but of tables that stand still until somebody looks after them.
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
     * @param lost commits that the target lost, for people; null = none
     */
    record TargetSeen(List<TableProgress> relations, Long behind, String lost) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A piece of index building ended; problem null when well. */
    record Built(TableId table, double seconds, String problem) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** Both sides' tables were looked at. */
    record SchemaSeen(SchemaDrift drift) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A difference in schema was dealt with; problem null = it is no more. */
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
     * @param problem why they could not be; null = they were
     */
    record SchemasCompared(List<String> differences, String problem, long tookMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * What the switch will run was tried.
     *
     * @param refused what the target would not take, for people
     * @param problem why it could not be tried; empty = it was
     */
    record Tried(List<String> refused, String problem, long tookMillis) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** Everything that comes after COMPLETED was tried to its end. */
    record AfterwardsDone() implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** An observer failed and will try again. */
    record Failed(String problem) implements Observation {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /** A step of the cutover ended. */
    sealed interface StepEnded extends Observation {
        /** The journal's row that the step was for. */
        long row();
    }

    /**
     * It ended well.
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

    /** It failed. */
    record StepFailed(long row, String problem) implements StepEnded {
        @Override
        public void giveTo(Receiver receiver) throws SQLException {
            receiver.see(this);
        }
    }

    /**
     * The operator's wish: something to be done on the coordinator's thread.
     *
     * @param refuse tells the operator why it cannot be done now, when no coordinator of this process acts
     * @param sinceMillis when it was asked for, by {@code MonotonicClock}
     */
    record Command(Action action, Consumer<String> refuse, long sinceMillis) implements Observation {
        /** What to do. */
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
     * @param idleSeconds until it is lost because nobody reads it; null while somebody does, without limit, and before 18
     * @param invalidation why it is lost; null before 17
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

    /** A table as the target knows it. */
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
