package io.wherry.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("no-servers")
class TableDifferenceTest {
    @Test
    void equalRowsInAnyOrderAreNoDifference() {
        TableDifference found = TableDifference.of(List.of("1\ta", "2\tb"), List.of("2\tb", "1\ta"), 1);
        assertThat(found.isEmpty()).isTrue();
        assertThat(found.rows()).isEqualTo(2);
    }

    @Test
    void aRowOfTheSameKeyIsDifferentNotLostAndDoubled() {
        TableDifference found = TableDifference.of(List.of("1\tx\ta", "2\tx\tb"), List.of("1\tx\tA"), 2);
        assertThat(found)
                .extracting(TableDifference::lost, TableDifference::doubled, TableDifference::different)
                .containsExactly(1, 0, 1);
    }

    @Test
    void identicalRowsOfAKeylessTableAreCounted() {
        TableDifference lost = TableDifference.of(List.of("same", "same", "same"), List.of("same"), 0);
        assertThat(lost.lost()).isEqualTo(2);
        TableDifference doubled = TableDifference.of(List.of("same"), List.of("same", "same"), 0);
        assertThat(doubled.doubled()).isEqualTo(1);
        assertThat(doubled.examples()).containsExactly("> same");
    }
}
