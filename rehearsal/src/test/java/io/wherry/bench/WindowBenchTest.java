package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code wherry bench window} with few rows. */
@EveryThirdDay(1)
@Tag("embedded-only")
class WindowBenchTest {
    @Test
    void aWindowThatIsAbortedAtTheSwitchRowHasThePartsOfARealOne(@TempDir Path directory) throws Exception {
        SmallBench bench = SmallBench.run(
                directory, "window", "--rows=5000", "--rate=100", "--windows=2", "--leave-keyless", "--views-after");
        List<JsonNode> windows = bench.runs("window");
        assertThat(windows)
                .extracting(run -> run.path("more").path("real").asInt())
                .containsExactly(0, 1);
        for (JsonNode window : windows) {
            JsonNode more = window.path("more");
            assertThat(more.path("VERIFYING: the comparison of the rows that changed last")
                            .asDouble(-1))
                    .isNotNegative();
            assertThat(more.path("PREPARING_TARGET: definitions, FK CONSTRAINT").asDouble())
                    .isPositive();
            assertThat(more.has("PREPARING_TARGET: definitions, MATERIALIZED VIEW DATA"))
                    .isFalse();
            // Seen to fail when the part in which a window is aborted was not counted.
            assertThat(more.path("PREPARING_TARGET: the switch row").asDouble()).isPositive();
            assertThat(more.path("fence to switch row ms").asDouble())
                    .isGreaterThan(more.path("VERIFYING ms").asDouble());
        }
        assertThat(windows.get(1).path("more").path("longest write gap ms").asDouble())
                .isPositive();
        assertThat(bench.figure("check / bar")).isPositive();
        assertThat(bench.text()).contains("real cutovers: 1 of 2");
    }
}
