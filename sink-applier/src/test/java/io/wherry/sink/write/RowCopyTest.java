package io.wherry.sink.write;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class RowCopyTest {
    private final RowCopy copy = new RowCopy();

    @Test
    void whatHasAMeaningToCopyIsEscaped() {
        copy.add(new String[] {"a\tb", "c\nd\re", "\\N", "\\.", "", null, "\b\f\u000b"}, new int[] {0, 1, 2, 3, 4, 5, 6
        });
        assertThat(text()).isEqualTo("a\\tb\tc\\nd\\re\t\\\\N\t\\\\.\t\t\\N\t\b\f\u000b\n");
    }

    @Test
    void columnsComeInTheOrderOfTheStatement() {
        copy.add(new String[] {"generated", "é€😀", "2"}, new int[] {2, 1});
        copy.add(new String[] {"generated", "", null}, new int[] {2, 1});
        assertThat(text()).isEqualTo("2\té€😀\n\\N\t\n");
    }

    /** Each byte doubles, at every place of the buffer. */
    @Test
    void theBufferGrows() {
        String value = "\\".repeat(100_001);
        for (int i = 0; i < 3; i++) {
            copy.add(new String[] {value, "x"}, new int[] {0, 1});
        }
        assertThat(text()).isEqualTo((value + value + "\tx\n").repeat(3));
    }

    private String text() {
        return new String(copy.text(), StandardCharsets.UTF_8);
    }
}
