package io.wherry.sink.read;

import io.wherry.contract.error.DataException;
import io.wherry.sink.state.BarrierProgress;
import io.wherry.sink.state.BarrierProgress.Verdict;
import io.wherry.sink.state.Barriers;
import io.wherry.sink.state.TableState;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Checks whether partitions of a worker that wait at a barrier may continue. The check never blocks: one worker may own several
 * partitions of the table, and the one that the others wait for may be among them.
 */
public final class BarrierWatch {
    /** Pause between checks: a barrier takes some of these. */
    private static final Duration SHORT = Duration.ofMillis(5);
    /**
     * After this number of checks in vain, partition 0 has much to apply for all partitions. Then frequent checks are not needed.
     */
    private static final int LOOKS = 100;

    private final Barriers barriers;
    private int inVain;

    public BarrierWatch(Barriers barriers) {
        this.barriers = barriers;
    }

    /** The results of a check. */
    public interface Found {
        /** The partition's checkpoint has been moved past the barrier. */
        void passed(PartitionCursor reading);

        /** The partitions of the table cannot meet. */
        void contradicted(TableState relation, DataException failure) throws SQLException;
    }

    /** How long to wait for records before the next check; {@code usual} where nothing depends on it. */
    public Duration pause(Collection<PartitionCursor> readings, Duration usual) {
        boolean anyWaits = readings.stream().anyMatch(reading -> reading.barrier() != null);
        return anyWaits && inVain < LOOKS ? SHORT : usual;
    }

    /** Lets the readings continue that may do so; leaves the session without a transaction. */
    public void look(Collection<PartitionCursor> readings, Found found) throws SQLException {
        List<PartitionCursor> waiting =
                readings.stream().filter(reading -> reading.barrier() != null).toList();
        if (waiting.isEmpty()) {
            inVain = 0;
            return;
        }
        inVain++;
        Map<TableState, BarrierProgress> standings = new HashMap<>();
        Map<TableState, DataException> contradicted = new HashMap<>();
        for (PartitionCursor reading : waiting) {
            TableState relation = reading.relation();
            BarrierProgress standing = standings.get(relation);
            if (standing == null) {
                standing = barriers.read(relation);
                standings.put(relation, standing);
            }
            try {
                Verdict verdict = standing.of(reading.barrier());
                if (verdict != Verdict.WAIT) {
                    inVain = 0;
                }
                if (verdict == Verdict.APPLY) {
                    reading.applyBarrier();
                } else if (verdict == Verdict.GO_ON) {
                    reading.passBarrier();
                    found.passed(reading);
                }
            } catch (DataException e) {
                contradicted.put(relation, e);
            }
        }
        barriers.checkpoints().target().rollback();
        for (Map.Entry<TableState, DataException> table : contradicted.entrySet()) {
            found.contradicted(table.getKey(), table.getValue());
        }
    }
}
