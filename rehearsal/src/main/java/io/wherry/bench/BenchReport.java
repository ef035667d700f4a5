package io.wherry.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Map;

/**
 * What a bench has measured.
 *
 * @param bench its name
 * @param settings what was asked for, and the versions of the servers
 * @param runs every run, in the order in which they ran
 * @param tables what the runs come to, for people
 * @param figures medians, ratios and what is wanted of them
 * @param notes what a reader must know about the figures
 * @param comparisons how often both sides were compared after a run
 * @param differences what these comparisons found; empty = all were equal
 */
public record BenchReport(
        String bench,
        Machine machine,
        Map<String, String> settings,
        List<Run> runs,
        List<Table> tables,
        List<Figure> figures,
        List<String> notes,
        int comparisons,
        List<String> differences) {
    public BenchReport {
        runs = List.copyOf(runs);
        tables = List.copyOf(tables);
        figures = List.copyOf(figures);
        notes = List.copyOf(notes);
        differences = List.copyOf(differences);
    }

    /**
     * One run.
     *
     * @param subject what was worked on
     * @param way by which the work was done: ours, or that of a peer
     * @param round from 1
     * @param seconds that the run took
     * @param rows that were worked on
     * @param cpuSeconds by process, while the run lasted
     * @param more other measured values, each named with its unit
     */
    public record Run(
            String subject,
            String way,
            int round,
            double seconds,
            long rows,
            Map<String, Double> cpuSeconds,
            Map<String, Double> more) {}

    /** A table as it may stand in a document. */
    public record Table(String title, List<String> columns, List<List<String>> rows) {
        public Table {
            columns = List.copyOf(columns);
            rows = List.copyOf(rows);
        }
    }

    /**
     * One value that counts.
     *
     * @param unit empty for a ratio
     * @param wanted the bar as text; empty = there is none
     * @param met whether the value meets the bar; null = there is none
     */
    public record Figure(String name, double value, String unit, String wanted, Boolean met) {}

    /** Whether every comparison found both sides equal, and there was one. */
    @JsonProperty
    public boolean equal() {
        return comparisons > 0 && differences.isEmpty();
    }
}
