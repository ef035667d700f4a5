package io.wherry.source.check;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FilterChecksTest {
    @Test
    void everyNameIsFoundAndNoLiteral() {
        assertThat(FilterChecks.names("Kind = 'no ''such'' name' AND \"Odd \"\"name\" > 1 AND größe IS NOT NULL"))
                .contains("kind", "Odd \"name", "größe")
                .doesNotContain("such", "no");
    }
}
