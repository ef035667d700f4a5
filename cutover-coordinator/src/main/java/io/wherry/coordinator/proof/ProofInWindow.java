package io.wherry.coordinator.proof;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.proof.SqlSides.Pair;
import io.wherry.coordinator.proof.SqlSides.Sums;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.whole.WholeChoice;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What the window compares of the tables that a proof knows, while nobody writes on either side. */
public final class ProofInWindow {
    private final ProofTables tables;

    ProofInWindow(ProofTables tables) {
        this.tables = tables;
    }

    /**
     * What is compared how.
     *
     * @param rest proven tables, of which only the rows that changed last are compared
     * @param must tables of which every row must be compared, here; the fastest first
     * @param choice proven tables of which every row is compared while there is time, the fastest first. All other tables are left to
     *     another comparison
     */
    public record Plan(Set<TableId> rest, Set<TableId> must, Set<TableId> choice) {}

    /**
     * What was compared of the tables for which there was time.
     *
     * @param equal one result for each table of which every row is equal
     * @param left tables for which there was no time
     */
    public record Chosen(List<TableResult> equal, Set<TableId> left) {}

    /**
     * Plans by the catalogs as they are now: a table that was altered a moment ago is in neither set.
     *
     * @param witnessed tables whose changes the witness has named up to the fence
     */
    Plan plan(BothSides sides, Set<TableId> witnessed, Duration wholeWithin) throws SQLException {
        Map<TableId, Long> proven = new TreeMap<>();
        Map<TableId, Long> unproven = new TreeMap<>();
        for (TableId id : tables.current(sides)) {
            TableProof table = tables.get(id);
            boolean relied = tables.isProven(table) && witnessed.contains(id);
            (relied ? proven : unproven).put(id, table.wholeNanos());
        }
        WholeChoice choice = WholeChoice.of(proven, unproven, wholeWithin);
        Set<TableId> rest = new TreeSet<>(proven.keySet());
        rest.removeAll(choice.anyway());
        return new Plan(rest, choice.inTurn(), choice.anyway());
    }

    /**
     * Compares the rows of these tables that changed last.
     *
     * @param passed as in {@link io.wherry.coordinator.recheck.Recheck}
     * @return one result for each table, with a problem where the answer would not be complete
     */
    List<TableResult> rest(BothSides sides, Set<TableId> which, Lsn fence, Lsn passed) throws SQLException {
        Map<TableId, TableResult> results = new TreeMap<>();
        for (TableId id : which) {
            TableProof table = tables.get(id);
            String problem = table == null
                    ? "is not among the tables that are compared"
                    : fence.isAfter(passed)
                            ? "is proven up to " + passed + " only, and the fence stands at " + fence
                            : !tables.isWitnessed(id)
                                    ? "its changes are not witnessed"
                                    : table.complete()
                                            ? ""
                                            : "is not proven: "
                                                    + table.status(true).unproven();
            results.put(id, problem.isEmpty() ? rest(table, sides) : new TableResult(id, 0, 0, 0, List.of(), problem));
        }
        return List.copyOf(results.values());
    }

    /** Compares what is left of the table; counted with the rows that the pass has compared. */
    private static TableResult rest(TableProof table, BothSides sides) throws SQLException {
        TableResult rest = table.keyed()
                ? table.recheck().all(new SqlSides(table.table(), sides))
                : new TableResult(table.id(), 0, 0, 0, List.of(), "");
        return new TableResult(
                table.id(),
                table.provenRows() + rest.sourceRows(),
                table.provenRows() + rest.targetRows(),
                rest.differing(),
                rest.keys(),
                rest.problem());
    }

    /**
     * Compares every row of these tables.
     *
     * @return results of those that are equal. Of the others, another comparison finds which rows differ, or why the statements fail
     */
    List<TableResult> whole(BothSides sides, Set<TableId> which) throws SQLException {
        List<TableResult> equal = new ArrayList<>();
        for (TableId id : which) {
            whole(sides, id).ifPresent(equal::add);
        }
        return equal;
    }

    /**
     * Compares every row of these tables, as long as the time suffices by what the tables before took: a machine that is busy takes longer
     * than was measured.
     *
     * @param sides no statement takes longer than {@code within}
     * @param within in all, but for the last statement
     */
    Chosen choice(BothSides sides, Set<TableId> which, Duration within) throws SQLException {
        List<TableResult> equal = new ArrayList<>();
        Set<TableId> left = new LinkedHashSet<>(which);
        long began = System.nanoTime();
        long expected = 0;
        for (TableId id : which) {
            long next = tables.get(id).wholeNanos();
            long took = System.nanoTime() - began;
            double slower = expected == 0 ? 1 : Math.max(1, (double) took / expected);
            if (took + slower * next > within.toNanos()) {
                break;
            }
            try {
                whole(sides, id).ifPresent(equal::add);
                left.remove(id);
            } catch (SQLException e) {
                if (!Pass.CANCELED.equals(e.getSQLState())) {
                    throw e;
                }
                break;
            }
            expected += next;
        }
        return new Chosen(equal, left);
    }

    /** Empty when the rows differ, or the statements fail for this table alone. */
    private Optional<TableResult> whole(BothSides sides, TableId id) throws SQLException {
        try {
            Pair<Sums> sums = new SqlSides(tables.get(id).table(), sides).sums();
            long rows = sums.source().rows();
            return sums.source().equals(sums.target())
                    ? Optional.of(new TableResult(id, rows, rows, 0, List.of(), ""))
                    : Optional.empty();
        } catch (SQLException e) {
            if (Pass.concernsOne(e)) {
                return Optional.empty();
            }
            throw e;
        }
    }
}
