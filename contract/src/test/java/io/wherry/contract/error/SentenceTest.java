package io.wherry.contract.error;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SentenceTest {
    @Test
    void twoSentencesAreJoinedByTwoFullStops() {
        assertThat(Sentence.of("The connection attempt failed.", "Check target.url"))
                .isEqualTo("The connection attempt failed. Check target.url");
        assertThat(new ConfigurationException("target", "it failed.", "Check it")
                        .findings()
                        .get(0)
                        .explained())
                .isEqualTo("target: it failed. Check it");
        assertThat(new DataException("load", "public.t", "it failed.", "Check it").explained())
                .isEqualTo("load public.t: it failed. Check it");
    }

    @Test
    void aServersMessageOfSeveralLinesBreaksTheLine() {
        assertThat(Sentence.of("ERROR: no\n  Detail: Key (a)=(1) already exists.\n", ""))
                .isEqualTo("ERROR: no Detail: Key (a)=(1) already exists.");
    }
}
