package io.wherry.bench;

import io.wherry.bench.BenchReport.Figure;
import io.wherry.bench.BenchReport.Run;
import io.wherry.bench.BenchReport.Table;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/** Collects what a bench measures, and says each run at once. Used by one thread. */
final class Results {
    private final String bench;
    private final PrintWriter progress;
    private final Machine machine = Machine.read();
    private final Map<String, String> settings = new LinkedHashMap<>();
    private final List<Run> runs = new ArrayList<>();
    private final List<Table> tables = new ArrayList<>();
    private final List<Figure> figures = new ArrayList<>();
    private final Set<String> notes = new LinkedHashSet<>();
    private final List<String> differences = new ArrayList<>();
    private int comparisons;

    /** @param progress gets a line for each run */
    Results(String bench, PrintWriter progress) {
        this.bench = bench;
        this.progress = progress;
    }

    void setting(String name, Object value) {
        settings.put(name, String.valueOf(value));
    }

    void say(String line) {
        progress.println(line);
        progress.flush();
    }

    void run(Run run) {
        runs.add(run);
        String cpu = run.cpuSeconds().isEmpty() ? "" : ", CPU " + cpu(run.cpuSeconds());
        say(run.subject() + ", " + run.way() + ", round " + run.round() + ": " + number(run.seconds()) + " s" + cpu);
    }

    private static String cpu(Map<String, Double> seconds) {
        List<String> parts = new ArrayList<>();
        seconds.forEach((name, used) -> parts.add(name + " " + String.format(Locale.ROOT, "%.2f", used)));
        return String.join(", ", parts);
    }

    /** Both sides were compared after a run. @param problem what differs; empty = nothing */
    void compared(String subject, String problem) {
        comparisons++;
        if (!problem.isEmpty()) {
            differences.add(subject + ": " + problem);
            say("DIFFERENT: " + subject + ": " + problem);
        }
    }

    /** The values of both sides, which must be equal. */
    void compared(String subject, String source, String target) {
        compared(subject, source.equals(target) ? "" : source + " on the source, " + target + " on the target");
    }

    void note(String note) {
        notes.add(note);
    }

    void table(String title, List<String> columns, List<List<String>> rows) {
        tables.add(new Table(title, columns, rows));
    }

    void figure(String name, double value, String unit) {
        figures.add(new Figure(name, value, unit, "", null));
    }

    void atLeast(String name, double value, String unit, double bar) {
        figures.add(new Figure(name, value, unit, "at least " + number(bar), value >= bar));
    }

    void atMost(String name, double value, String unit, double bar) {
        figures.add(new Figure(name, value, unit, "at most " + number(bar), value <= bar));
    }

    List<Run> of(String subject, String way) {
        return runs.stream()
                .filter(run -> run.subject().equals(subject) && run.way().equals(way))
                .toList();
    }

    /** Median over the runs of one subject and one way. */
    double median(String subject, String way, ToDoubleFunction<Run> value) {
        return median(of(subject, way).stream().map(value::applyAsDouble).toList());
    }

    /** The middle value; with an even number of values, the mean of the two in the middle. NaN without values. */
    static double median(List<Double> values) {
        if (values.isEmpty()) {
            return Double.NaN;
        }
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    /** A number with about three digits that count. */
    static String number(double value) {
        double size = Math.abs(value);
        String format = size >= 100 || size == 0 ? "%,.0f" : size >= 10 ? "%.1f" : size >= 0.1 ? "%.2f" : "%.3f";
        return String.format(Locale.ROOT, format, value);
    }

    BenchReport report() {
        return new BenchReport(
                bench, machine, settings, runs, tables, figures, List.copyOf(notes), comparisons, differences);
    }
}
