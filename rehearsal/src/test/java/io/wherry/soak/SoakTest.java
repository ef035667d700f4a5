package io.wherry.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A few of the runs that {@code wherry soak} does; {@code -Dwherry.soak.runs=… -Dwherry.soak.seed=…} set others. */
class SoakTest {
    private static final int RUNS = Integer.getInteger("wherry.soak.runs", 4);
    private static final int AT_ONCE = 2;
    private static final long SEED = Long.getLong("wherry.soak.seed", 1);

    @Test
    void sourceEqualsTargetAfterEveryFault() throws Exception {
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        Path logs = Path.of("target", "soak-logs").toAbsolutePath();
        SoakReport report =
                new Soak(new Soak.Options(RUNS, AT_ONCE, SEED, 15, 15, 17, logs, false), out, soFar -> {}).run();
        assertThat(report.failures()).isEmpty();
        assertThat(report.runs()).isEqualTo(RUNS);
        assertThat(report.changes()).isPositive();
    }
}
