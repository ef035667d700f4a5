package io.wherry.sink;

import io.wherry.contract.DataException;
import io.wherry.sink.Standing.Verdict;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Looks whether a worker's partitions that wait at a barrier may go on. Never by waiting: one worker may own several partitions of
 * the table, and the one that the others wait for may be among them.
 */
final class BarrierWatch {
    private final Barriers barriers;

    BarrierWatch(Barriers barriers) {
        this.barriers = barriers;
    }

    /** What the look found. */
    interface Found {
        /** The partition's checkpoint has been moved past the barrier. */
        void passed(Reading reading);

        /** The partitions of the table cannot meet. */
        void contradicted(Relation relation, DataException failure) throws SQLException;
    }

    static boolean anyWaits(Collection<Reading> readings) {
        return readings.stream().anyMatch(reading -> reading.barrier() != null);
    }

    /** Has the readings that may go on do so; leaves the session without a transaction. */
    void look(Collection<Reading> readings, Found found) throws SQLException {
        List<Reading> waiting =
                readings.stream().filter(reading -> reading.barrier() != null).toList();
        if (waiting.isEmpty()) {
            return;
        }
        Map<Relation, Standing> standings = new HashMap<>();
        Map<Relation, DataException> contradicted = new HashMap<>();
        for (Reading reading : waiting) {
            Relation relation = reading.relation();
            Standing standing = standings.get(relation);
            if (standing == null) {
                standing = barriers.read(relation);
                standings.put(relation, standing);
            }
            try {
                Verdict verdict = standing.of(reading.barrier());
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
        for (Map.Entry<Relation, DataException> table : contradicted.entrySet()) {
            found.contradicted(table.getKey(), table.getValue());
        }
    }
}
