package io.wherry.coordinator.proof;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.proof.ProofStatus.PassStatus;
import io.wherry.coordinator.proof.ProofStatus.TableStatus;
import io.wherry.coordinator.recheck.Difference;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * How far the proof is, table by table, as {@code wherry verify status} and {@code /api/verify} show it; its JSON names are public and
 * stable.
 *
 * @param complete whether every table is proven, and no difference stands
 * @param stopped whether the operator has stopped passes and rechecks
 * @param waitsFor why there is no proof yet, or why its passes pause; empty = they run
 * @param proven number of tables that are proven
 * @param dirtyKeys rows that changed and wait for their comparison
 * @param rowsCompared since the proof began
 * @param etaSeconds until every table has been compared once, by the rate of the pass that runs; null = unknown
 * @param oldestMillis age of the oldest table's proof, ms
 * @param tables by name
 * @param differences rows that differ and are not on their way
 * @param repairs rows of the last order to repair, and of earlier ones that are not decided
 */
public record ProofReport(
        boolean complete,
        boolean stopped,
        String waitsFor,
        int proven,
        long dirtyKeys,
        long rowsCompared,
        Long etaSeconds,
        long oldestMillis,
        List<Table> tables,
        List<Found> differences,
        List<Repaired> repairs) {
    /** Before this time a rate would be an accident. */
    private static final long LEAST_MILLIS = 500;

    public ProofReport {
        tables = List.copyOf(tables);
        differences = List.copyOf(differences);
        repairs = List.copyOf(repairs);
    }

    /**
     * One table.
     *
     * @param unproven why the table is not proven; empty when it is
     * @param percent of the pass that runs; without one, 100 when the table is proven, otherwise 0; null = unknown
     * @param rowsEstimated by the source's statistics; null = never analysed
     * @param dirtyKeys rows that changed and wait for their comparison
     * @param differences rows that differ and are not on their way
     * @param ageMillis since the pass began that proved the table, ms; null = not proven
     * @param lastPassMillis since the last pass began of which all findings are known, or that has failed, ms; null = none yet
     * @param pass the pass that runs; null = none
     */
    public record Table(
            String table,
            boolean proven,
            String unproven,
            Integer percent,
            Long rowsEstimated,
            long dirtyKeys,
            int differences,
            Long ageMillis,
            Long lastPassMillis,
            Pass pass) {}

    /**
     * A pass that runs. Rates are averages since it began, with its pauses.
     *
     * @param rows compared so far
     * @param rowsPerSecond null = unknown yet
     * @param bytesPerSecond by the catalog's mean size of a row; null = unknown
     * @param etaSeconds until the pass ends; null = unknown
     */
    public record Pass(long rows, Long rowsPerSecond, Long bytesPerSecond, Long etaSeconds) {}

    /**
     * A row that differs and is not on its way.
     *
     * @param key values of the key; empty = the content of a table that is compared as a whole
     * @param kind one of {@link Difference.Kind}
     * @param columns that differ; empty when the row is on one side only
     * @param explained the same in one line
     * @param values of these columns, or of all columns of a row that is on one side only; null unless they were asked for
     */
    public record Found(
            String table,
            List<String> key,
            String kind,
            List<String> columns,
            String explained,
            @JsonInclude(JsonInclude.Include.NON_NULL) List<ShownValues.Value> values) {
        public Found {
            key = List.copyOf(key);
            columns = List.copyOf(columns);
        }
    }

    /**
     * A row whose repair was ordered.
     *
     * @param key values of the key
     * @param state one of {@link RepairBook.State}
     * @param why the row is not repaired; otherwise empty
     */
    public record Repaired(String table, List<String> key, String state, String why) {}

    /** There is no proof, for this reason. */
    static ProofReport none(boolean stopped, String waitsFor) {
        return new ProofReport(false, stopped, waitsFor, 0, 0, 0, null, 0, List.of(), List.of(), List.of());
    }

    /** @param values of the rows that differ; none = they are not shown */
    static ProofReport of(
            ProofStatus status,
            List<RepairBook.Status> repairs,
            Map<Difference, List<ShownValues.Value>> values,
            boolean stopped,
            String waitsFor) {
        Map<TableId, Long> differences =
                status.differences().stream().collect(Collectors.groupingBy(Difference::table, Collectors.counting()));
        List<Table> tables = status.tables().stream()
                .map(table ->
                        table(table, differences.getOrDefault(table.table(), 0L).intValue()))
                .toList();
        return new ProofReport(
                !tables.isEmpty() && status.proven() && differences.isEmpty(),
                stopped,
                waitsFor,
                (int) tables.stream().filter(Table::proven).count(),
                status.dirty().keys(),
                status.rowsCompared(),
                eta(status.tables()),
                status.oldestMillis(),
                tables,
                status.differences().stream()
                        .map(found -> new Found(
                                found.table().toString(),
                                found.key(),
                                found.kind().name(),
                                found.columns(),
                                found.explained(),
                                values.get(found)))
                        .toList(),
                repairs.stream()
                        .map(each -> new Repaired(
                                each.table().toString(),
                                each.key(),
                                each.state().name(),
                                each.why()))
                        .toList());
    }

    private static Table table(TableStatus table, int differences) {
        boolean estimated = table.rowsEstimated() > 0;
        PassStatus runs = table.pass();
        Integer percent = runs == null
                ? Integer.valueOf(table.proven() ? 100 : 0)
                : estimated ? (int) Math.min(99, 100 * runs.rows() / table.rowsEstimated()) : null;
        return new Table(
                table.table().toString(),
                table.proven(),
                table.unproven(),
                percent,
                isEstimated(table) ? table.rowsEstimated() : null,
                table.dirtyKeys(),
                differences,
                table.proven() ? table.ageMillis() : null,
                table.knownMillis(),
                runs == null ? null : pass(table, runs));
    }

    private static Pass pass(TableStatus table, PassStatus runs) {
        Double rate = rate(runs);
        boolean estimated = rate != null && table.rowsEstimated() > 0;
        return new Pass(
                runs.rows(),
                rate == null ? null : Math.round(rate),
                estimated ? Math.round(rate * table.bytes() / table.rowsEstimated()) : null,
                estimated ? (long) Math.ceil(left(table) / rate) : null);
    }

    /** Rows a second; null = unknown yet. */
    private static Double rate(PassStatus runs) {
        return runs.rows() == 0 || runs.runsMillis() < LEAST_MILLIS ? null : runs.rows() * 1000.0 / runs.runsMillis();
    }

    /** Servers before 14 say of a table that was never analysed that it has no rows. */
    private static boolean isEstimated(TableStatus table) {
        return table.rowsEstimated() > 0 || table.rowsEstimated() == 0 && table.bytes() == 0;
    }

    private static long left(TableStatus table) {
        return Math.max(
                0,
                table.rowsEstimated() - (table.pass() == null ? 0 : table.pass().rows()));
    }

    /** Zero when nothing is left; null when a size is unknown, or no pass runs that has a rate. */
    private static Long eta(List<TableStatus> tables) {
        List<TableStatus> waiting = tables.stream()
                .filter(table -> !table.proven() && table.knownMillis() == null)
                .toList();
        if (waiting.stream().anyMatch(table -> !isEstimated(table))) {
            return null;
        }
        // Passes may wait for one another; the one that has compared most says best how fast the servers are.
        Double rate = waiting.stream()
                .map(TableStatus::pass)
                .filter(Objects::nonNull)
                .map(ProofReport::rate)
                .filter(Objects::nonNull)
                .max(Double::compare)
                .orElse(null);
        long left = waiting.stream().mapToLong(ProofReport::left).sum();
        if (rate == null) {
            return left == 0 && !tables.isEmpty() ? Long.valueOf(0) : null;
        }
        return (long) Math.ceil(left / rate);
    }
}
