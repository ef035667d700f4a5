package io.wherry.rehearsal.cli;

import io.wherry.rehearsal.RehearsalReport;

/** The rehearsal's report as text. */
final class RehearsalText {
    private RehearsalText() {}

    static String of(RehearsalReport report) {
        StringBuilder text = new StringBuilder();
        text.append(String.format(
                "%nPostgreSQL %d to %d: %s in %.1f s%n",
                report.sourceVersion(), report.targetVersion(), report.outcome(), report.totalSeconds()));
        line(
                text,
                "loaded",
                "%,d rows, %,d bytes in %.1f s, indexes %.1f s",
                report.rowsLoaded(),
                report.bytesLoaded(),
                report.loadSeconds(),
                report.indexSeconds());
        line(text, "changes applied", "%,d", report.changesApplied());
        line(
                text,
                "compared",
                "%d tables, %,d rows, %,d different",
                report.tablesCompared(),
                report.rowsCompared(),
                report.rowsDifferent());
        line(text, "schema", "%d differences", report.schemaDifferences().size());
        line(
                text,
                "acknowledged writes",
                "%,d, lost: %,d",
                report.acknowledgedWrites(),
                report.acknowledgedWritesLost());
        line(text, "longest write gap", "%,d ms at the switch", report.writeGapMillis());
        line(text, "lag", "p50 %s ms, p99 %s ms", known(report.lagP50Millis()), known(report.lagP99Millis()));
        report.states().forEach(s -> line(text, s.state(), "%.2f s", s.seconds()));
        report.schemaDifferences()
                .forEach(d -> text.append("  schema differs: ").append(d).append('\n'));
        return text.toString();
    }

    private static void line(StringBuilder text, String label, String format, Object... values) {
        text.append(String.format("  %-20s ", label))
                .append(String.format(format, values))
                .append('\n');
    }

    private static String known(Long millis) {
        return millis == null ? "unknown" : millis.toString();
    }
}
