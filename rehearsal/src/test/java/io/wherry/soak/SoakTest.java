package io.wherry.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/**
 * Some of the runs that {@code wherry soak} does, with every kind of fault but a few; the report of a failure says how to do it
 * again. {@code -Dwherry.soak.runs=… -Dwherry.soak.seed=…} for others.
 */
class SoakTest {
    private static final int RUNS = Integer.getInteger("wherry.soak.runs", 30);
    private static final long SEED = Long.getLong("wherry.soak.seed", 1);
    /** Most of a run is waiting for what was struck. */
    private static final int AT_ONCE = 2;

    @Test
    void sourceEqualsTargetAfterEveryFault() throws Exception {
        ExecutorService soaks = Executors.newFixedThreadPool(AT_ONCE);
        try {
            List<Future<SoakReport>> reports = new ArrayList<>();
            for (int i = 0; i < AT_ONCE; i++) {
                // Far enough from one another that they meet no seed twice.
                long seed = SEED + i * 1_000_000L;
                reports.add(soaks.submit(() -> soak(seed, RUNS / AT_ONCE)));
            }
            SoakReport total = SoakReport.none();
            for (Future<SoakReport> report : reports) {
                total = total.plus(report.get());
            }
            assertThat(total.failures()).isEmpty();
            assertThat(total.runs()).isEqualTo(RUNS / AT_ONCE * AT_ONCE);
            assertThat(total.changes()).isPositive();
        } finally {
            soaks.shutdownNow();
        }
    }

    private static SoakReport soak(long seed, int runs) throws Exception {
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        Path logs = Path.of("target", "soak-logs").toAbsolutePath();
        return new Soak(new Soak.Options(runs, seed, 15, 15, 17, logs, false), out).run();
    }
}
