package io.wherry.coordinator.cutover;

import io.wherry.contract.error.Sentence;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.proof.ProofStatus;
import io.wherry.coordinator.proof.ProofStatus.TableStatus;
import io.wherry.coordinator.whole.WholeChoice;
import io.wherry.coordinator.whole.WholeTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What the comparison in the window will do, foreseen before the fence. Computed from what the catalog and the proof say, and from
 * nothing else.
 *
 * @param whole tables of which the window compares every row, the slowest first
 * @param relied tables of which the window compares only the rows that changed last
 * @param changedRows rows of these that wait for their comparison
 * @param millis time that all of it will take, ms
 */
public record WindowForecast(List<Whole> whole, List<TableStatus> relied, long changedRows, long millis) {
    /** Tables that the window compares at the same time, where it does not compare them one after another. */
    private static final int TABLES_AT_ONCE = 2;

    // Assumed: some thousand rows that changed are a part of 6 s (docs/performance.md).
    private static final double MILLIS_OF_A_ROW = 0.2;

    /** A cutover is never refused for less than this. */
    private static final long SMALL_MILLIS = 50;

    private static final int MOST_NAMED = 3;
    private static final String REMEDY = "; or raise %s; or begin all the same: wherry cutover --force verify";

    /**
     * A table as the source's catalog has it.
     *
     * @param rows by the statistics; not above 0 = unknown
     * @param bytes heap and TOAST
     */
    public record Size(TableId table, long rows, long bytes) {}

    /**
     * A table that is compared whole.
     *
     * @param millis expected time, ms
     * @param why it is compared whole
     */
    public record Whole(TableId table, double millis, String why) {}

    public WindowForecast {
        whole = List.copyOf(whole);
        relied = List.copyOf(relied);
    }

    /**
     * The forecast with a proof.
     *
     * @param sizes of all tables that the window compares
     * @param wholeWithin {@code verify.whole-within}
     */
    public static WindowForecast of(List<Size> sizes, ProofStatus proof, Duration wholeWithin) {
        Map<TableId, TableStatus> known =
                proof.tables().stream().collect(Collectors.toMap(TableStatus::table, Function.identity()));
        Map<TableId, Long> proven = new TreeMap<>();
        Map<TableId, Long> unproven = new TreeMap<>();
        for (Size size : sizes) {
            TableStatus status = known.get(size.table());
            if (status != null) {
                (status.proven() ? proven : unproven).put(size.table(), status.wholeNanos());
            }
        }
        WholeChoice choice = WholeChoice.of(proven, unproven, wholeWithin);
        List<Whole> whole = new ArrayList<>();
        List<TableStatus> relied = new ArrayList<>();
        for (Size size : sizes) {
            TableStatus status = known.get(size.table());
            if (status == null) {
                whole.add(new Whole(size.table(), millis(size), "the proof does not know it yet"));
            } else if (!status.proven() || choice.anyway().contains(size.table())) {
                double millis = status.wholeNanos() > 0 ? status.wholeNanos() / 1e6 : millis(size);
                whole.add(new Whole(
                        size.table(), millis, status.proven() ? "fits verify.whole-within" : status.unproven()));
            } else {
                relied.add(status);
            }
        }
        return of(whole, relied, choice);
    }

    /**
     * The forecast without a proof.
     *
     * @param why there is none
     */
    public static WindowForecast of(List<Size> sizes, String why) {
        return of(
                sizes.stream()
                        .map(size -> new Whole(size.table(), millis(size), why))
                        .toList(),
                List.of(),
                new WholeChoice(Set.of(), Set.of()));
    }

    private static WindowForecast of(List<Whole> whole, List<TableStatus> relied, WholeChoice choice) {
        List<Whole> slowestFirst = whole.stream()
                .sorted(Comparator.comparingDouble(Whole::millis).reversed().thenComparing(Whole::table))
                .toList();
        double one = 0;
        double[] lanes = new double[TABLES_AT_ONCE];
        for (Whole table : slowestFirst) {
            if (choice.contains(table.table())) {
                one += table.millis();
                continue;
            }
            int free = 0;
            for (int lane = 1; lane < lanes.length; lane++) {
                free = lanes[lane] < lanes[free] ? lane : free;
            }
            lanes[free] += table.millis();
        }
        double longest = 0;
        for (double lane : lanes) {
            longest = Math.max(longest, lane);
        }
        long rows = relied.stream().mapToLong(TableStatus::dirtyKeys).sum();
        return new WindowForecast(slowestFirst, relied, rows, (long) Math.ceil(one + longest + rows * MILLIS_OF_A_ROW));
    }

    private static double millis(Size size) {
        return WholeTime.expectedMillis(size.rows(), size.bytes());
    }

    /** The forecast as one line for people. */
    public String line() {
        String time = millis < SMALL_MILLIS ? "less than 0.1 s" : "about " + seconds(millis);
        return "compares " + whole.size() + " of " + (whole.size() + relied.size()) + " tables whole"
                + (changedRows == 0 ? "" : ", and " + changedRows + " rows that changed") + ", " + time;
    }

    /**
     * Why a cutover should not begin now, one line each with its remedy; empty = it may begin.
     *
     * @param maxDowntime {@code cutover.max-downtime}. The other half of it is for everything beside the comparison
     * @param maxAge {@code verify.max-age}
     */
    public List<String> obstacles(Duration maxDowntime, Duration maxAge) {
        List<String> obstacles = new ArrayList<>();
        if (millis >= SMALL_MILLIS && 2 * millis > maxDowntime.toMillis()) {
            obstacles.add(tooLong(maxDowntime));
        }
        List<TableStatus> old = relied.stream()
                .filter(table -> table.ageMillis() > maxAge.toMillis())
                .sorted(Comparator.comparingLong(TableStatus::ageMillis).reversed())
                .toList();
        if (!old.isEmpty()) {
            obstacles.add(tooOld(old, maxAge));
        }
        return obstacles;
    }

    private String tooLong(Duration maxDowntime) {
        List<String> parts = new ArrayList<>();
        whole.stream()
                .limit(MOST_NAMED)
                .forEach(table -> parts.add(table.table() + " " + seconds(table.millis()) + " (" + table.why() + ")"));
        if (whole.size() > MOST_NAMED) {
            double others =
                    whole.stream().skip(MOST_NAMED).mapToDouble(Whole::millis).sum();
            parts.add((whole.size() - MOST_NAMED) + " more tables " + seconds(others));
        }
        if (changedRows > 0) {
            parts.add(changedRows + " rows that changed " + seconds(changedRows * MILLIS_OF_A_ROW));
        }
        return Sentence.of(
                "the comparison in the window would take about " + seconds(millis)
                        + ", more than half of cutover.max-downtime (" + duration(maxDowntime.toMillis()) + "): "
                        + String.join(", ", parts),
                "Wait until more tables are proven (wherry status), which needs verify.witness: on"
                        + REMEDY.formatted("cutover.max-downtime"));
    }

    private static String tooOld(List<TableStatus> old, Duration maxAge) {
        String named = old.stream()
                .limit(MOST_NAMED)
                .map(table -> table.table() + ", " + duration(table.ageMillis()))
                .collect(Collectors.joining("; "));
        String more = old.size() > MOST_NAMED ? "; and " + (old.size() - MOST_NAMED) + " more tables" : "";
        return Sentence.of(
                "the proof is older than verify.max-age (" + duration(maxAge.toMillis()) + ") of " + named + more,
                "Wait for the next pass (wherry status)" + REMEDY.formatted("verify.max-age"));
    }

    private static String seconds(double millis) {
        return String.format(Locale.ROOT, "%.1f s", millis / 1e3);
    }

    private static String duration(long millis) {
        return millis < 1_000
                ? millis + " ms"
                : millis < 120_000
                        ? seconds(millis)
                        : millis < 120 * 60_000
                                ? millis / 60_000 + " min"
                                : String.format(Locale.ROOT, "%.1f h", millis / 3_600_000.0);
    }
}
