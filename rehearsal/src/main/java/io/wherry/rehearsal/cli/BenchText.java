package io.wherry.rehearsal.cli;

import io.wherry.bench.BenchReport;
import io.wherry.bench.BenchReport.Figure;
import io.wherry.bench.BenchReport.Table;
import io.wherry.bench.Machine;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A bench's report as text. Its tables are those of Markdown, so that they may stand in a document as they are. */
final class BenchText {
    private static final double GIBI = 1L << 30;

    private BenchText() {}

    static String of(BenchReport report) {
        StringBuilder text = new StringBuilder();
        text.append("\nbench ").append(report.bench()).append('\n');
        report.settings().forEach((name, value) -> text.append("- %s: %s%n".formatted(name, value)));
        text.append("- machine: ").append(machine(report.machine())).append('\n');
        report.notes().forEach(note -> text.append("- ").append(note).append('\n'));
        report.tables().forEach(table -> append(text, table));
        List<List<String>> figures = new ArrayList<>();
        for (Figure figure : report.figures()) {
            String value = String.format(
                    Locale.ROOT, Math.abs(figure.value()) >= 100 ? "%,.0f%s" : "%.2f%s", figure.value(), unit(figure));
            String met = figure.met() == null ? "" : figure.met() ? "yes" : "**no**";
            figures.add(List.of(figure.name(), value, figure.wanted(), met));
        }
        append(text, new Table("Figures", List.of("figure", "value", "wanted", "met"), figures));
        text.append("\nsides compared %d times: %s%n"
                .formatted(report.comparisons(), report.equal() ? "equal" : "NOT EQUAL"));
        report.differences().forEach(line -> text.append("  ").append(line).append('\n'));
        return text.toString();
    }

    private static String unit(Figure figure) {
        return figure.unit().isEmpty() ? "" : " " + figure.unit();
    }

    private static String machine(Machine machine) {
        return "%d cores%s, %.1f GiB, kernel %s, Java %s, load %.2f at the start"
                .formatted(
                        machine.cores(),
                        machine.model().isEmpty() ? "" : " " + machine.model(),
                        machine.memoryBytes() / GIBI,
                        machine.kernel(),
                        machine.java(),
                        machine.load());
    }

    private static void append(StringBuilder text, Table table) {
        text.append("\n").append(table.title()).append("\n\n");
        line(text, table.columns());
        line(text, table.columns().stream().map(column -> "---").toList());
        table.rows().forEach(row -> line(text, row));
    }

    private static void line(StringBuilder text, List<String> cells) {
        text.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }
}
