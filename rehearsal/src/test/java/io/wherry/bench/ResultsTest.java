package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.bench.BenchReport.Figure;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a bench may claim. */
@Tag("no-servers")
class ResultsTest {
    private final Results results = new Results("some", new PrintWriter(Writer.nullWriter()));

    @Test
    void medianIsTheMiddle() {
        assertThat(Results.median(List.of(9.0, 1.0, 2.0))).isEqualTo(2);
        assertThat(Results.median(List.of(4.0, 1.0, 2.0, 9.0))).isEqualTo(3);
        assertThat(Results.median(List.of())).isNaN();
    }

    @Test
    void nothingComparedIsNotEqual() {
        assertThat(results.report().equal()).isFalse();
        results.compared("one", "2 rows", "2 rows");
        assertThat(results.report().equal()).isTrue();
        results.compared("two", "2 rows", "1 rows");
        assertThat(results.report().equal()).isFalse();
        assertThat(results.report().differences()).containsExactly("two: 2 rows on the source, 1 rows on the target");
    }

    @Test
    void anUnknownValueMeetsNoBar() {
        results.atLeast("speed", Double.NaN, "", 1);
        results.atMost("time", Double.NaN, "", 1);
        assertThat(results.report().figures()).extracting(Figure::met).containsExactly(false, false);
    }
}
