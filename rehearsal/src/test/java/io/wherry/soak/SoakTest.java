package io.wherry.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A few of the runs that {@code wherry soak} does: {@code -Dwherry.soak.runs=… -Dwherry.soak.seed=…} for others. */
class SoakTest {
    @Test
    void sourceEqualsTargetAfterEveryFault() throws Exception {
        Soak.Options options = new Soak.Options(
                Integer.getInteger("wherry.soak.runs", 6),
                Long.getLong("wherry.soak.seed", 1),
                15,
                15,
                17,
                Path.of("target", "soak-logs").toAbsolutePath(),
                false);
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        SoakReport report = new Soak(options, out).run();
        assertThat(report.failures()).isEmpty();
        assertThat(report.runs()).isEqualTo(options.runs());
        assertThat(report.changes()).isPositive();
    }
}
