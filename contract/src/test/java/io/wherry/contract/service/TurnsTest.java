package io.wherry.contract.service;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class TurnsTest {
    private static final long BEGAN = Long.MAX_VALUE - 5;
    private final Turns turns = new Turns("sink-applier", BEGAN);

    @Test
    void aThreadThatMakesNoTurnForLongerThanAnyTurnTakesHangs() {
        assertThat(turns.hangs(BEGAN + Turns.LONGEST.toNanos())).isEmpty();
        assertThat(turns.hangs(BEGAN + Turns.LONGEST.plusSeconds(1).toNanos()))
                .contains("sink-applier: its thread has made no turn for 241 s");
    }

    @Test
    void eachTurnIsASignOfLife() {
        turns.made(BEGAN + Duration.ofMinutes(3).toNanos());
        assertThat(turns.hangs(BEGAN + Duration.ofMinutes(6).toNanos())).isEmpty();
        assertThat(turns.hangs(BEGAN + Duration.ofMinutes(8).toNanos())).isPresent();
    }
}
