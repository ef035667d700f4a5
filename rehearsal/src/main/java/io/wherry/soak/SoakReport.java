package io.wherry.soak;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The findings of runs; the reports of several runs add up.
 *
 * @param faults injected, by kind
 * @param transactions committed on the source
 * @param changes read back from the topics
 * @param outOfOrder records of a topic that repeat another record or should come before it
 * @param longestRecoveryMillis from the end of the last fault until everything was on the target
 * @param endedByThemselves services that ended without being killed and were started again
 */
public record SoakReport(
        int runs,
        Map<String, Integer> faults,
        long transactions,
        long rowsCompared,
        long changes,
        long rowsLost,
        long rowsDoubled,
        long rowsDifferent,
        long outOfOrder,
        long longestRecoveryMillis,
        long millis,
        int endedByThemselves,
        List<Failure> failures) {

    /**
     * @param run number within its seed, from 1
     * @param replay the command that repeats the run
     * @param logs directory with the logs
     */
    public record Failure(long seed, int run, List<String> faults, String problem, String replay, String logs) {}

    /** The report of no runs. */
    public static SoakReport none() {
        return new SoakReport(0, Map.of(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, List.of());
    }

    static SoakReport ofRun(List<FaultKind> kinds, int transactions) {
        Map<String, Integer> faults = new TreeMap<>();
        kinds.forEach(kind -> faults.merge(kind.name(), 1, Integer::sum));
        return new SoakReport(1, faults, transactions, 0, 0, 0, 0, 0, 0, 0, 0, 0, List.of());
    }

    SoakReport recoveredIn(long recoveryMillis) {
        return plus(new SoakReport(0, Map.of(), 0, 0, 0, 0, 0, 0, 0, recoveryMillis, 0, 0, List.of()));
    }

    SoakReport lasting(long runMillis) {
        return plus(new SoakReport(0, Map.of(), 0, 0, 0, 0, 0, 0, 0, 0, runMillis, 0, List.of()));
    }

    SoakReport with(TableDifference table) {
        return plus(new SoakReport(
                0,
                Map.of(),
                0,
                table.rows(),
                0,
                table.lost(),
                table.doubled(),
                table.different(),
                0,
                0,
                0,
                0,
                List.of()));
    }

    SoakReport audited(long records, int problems) {
        return plus(new SoakReport(0, Map.of(), 0, 0, records, 0, 0, 0, problems, 0, 0, 0, List.of()));
    }

    SoakReport ended(int services) {
        return plus(new SoakReport(0, Map.of(), 0, 0, 0, 0, 0, 0, 0, 0, 0, services, List.of()));
    }

    SoakReport with(Failure failure) {
        return plus(new SoakReport(0, Map.of(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, List.of(failure)));
    }

    /** The sum of both. */
    public SoakReport plus(SoakReport other) {
        Map<String, Integer> all = new TreeMap<>(faults);
        other.faults.forEach((kind, count) -> all.merge(kind, count, Integer::sum));
        return new SoakReport(
                runs + other.runs,
                all,
                transactions + other.transactions,
                rowsCompared + other.rowsCompared,
                changes + other.changes,
                rowsLost + other.rowsLost,
                rowsDoubled + other.rowsDoubled,
                rowsDifferent + other.rowsDifferent,
                outOfOrder + other.outOfOrder,
                Math.max(longestRecoveryMillis, other.longestRecoveryMillis),
                millis + other.millis,
                endedByThemselves + other.endedByThemselves,
                new ArrayList<>(Stream.concat(failures.stream(), other.failures.stream())
                        .toList()));
    }

    /** Whether the runs found no failure. */
    public boolean clean() {
        return failures.isEmpty();
    }
}
