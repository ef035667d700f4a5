package io.wherry.rehearsal.cli;

import io.wherry.soak.SoakReport;

/** The soak's report as text. */
final class SoakText {
    private SoakText() {}

    static String of(SoakReport report) {
        StringBuilder text = new StringBuilder("%n%d runs in %.0f s: %d transactions, %d changes, %d rows compared%n"
                .formatted(
                        report.runs(),
                        report.millis() / 1000.0,
                        report.transactions(),
                        report.changes(),
                        report.rowsCompared()));
        report.faults().forEach((kind, count) -> text.append("  %-28s %d%n".formatted(kind, count)));
        text.append("rows lost %d, doubled %d, different %d; records out of order %d%n"
                .formatted(report.rowsLost(), report.rowsDoubled(), report.rowsDifferent(), report.outOfOrder()));
        text.append("longest recovery %d ms; services that ended by themselves %d; failed runs %d"
                .formatted(
                        report.longestRecoveryMillis(),
                        report.endedByThemselves(),
                        report.failures().size()));
        report.failures()
                .forEach(f -> text.append("%nFAILED seed %d run %d, %s: %s%n  again: %s%n  logs: %s"
                        .formatted(f.seed(), f.run(), f.faults(), f.problem(), f.replay(), f.logs())));
        return text.toString();
    }
}
