package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The product's first promise: a live database is moved by one command, with proof. */
class RehearsalTest {
    @Test
    void liveDatabaseMovesFromTheOldestPairToTheNewOne() {
        StringWriter said = new StringWriter();
        Rehearsal.Options options = new Rehearsal.Options(20_000, 200, 11, 17, Optional.empty(), 1, false);
        try (Rehearsal rehearsal = new Rehearsal(options, new PrintWriter(said))) {
            RehearsalReport report = rehearsal.run();
            assertThat(report.outcome()).isEqualTo("COMPLETED");
            assertThat(report.rowsLoaded()).isGreaterThan(15_000);
            assertThat(report.changesApplied()).isPositive();
            assertThat(report.tablesCompared()).isGreaterThanOrEqualTo(10);
            assertThat(report.rowsCompared()).isGreaterThan(15_000);
            assertThat(report.rowsDifferent()).isZero();
            assertThat(report.schemaDifferences()).isEmpty();
            assertThat(report.acknowledgedWrites()).isGreaterThan(100);
            assertThat(report.acknowledgedWritesLost()).isZero();
            assertThat(report.lagP50Millis()).isNotNull();
            assertThat(report.states().stream().map(RehearsalReport.StateSeconds::state))
                    .contains("LOADING", "IN_SYNC", "FENCING", "DRAINING", "VERIFYING", "SWITCHING");
            assertThat(said.toString()).contains("LOADING", "COMPLETED");
        }
    }
}
