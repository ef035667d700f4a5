package io.wherry.coordinator;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.Observation.Slot;
import org.junit.jupiter.api.Test;

final class SlotForecastTest {
    private final SlotForecast forecast = new SlotForecast();

    @Test
    void growthUsesUpWhatIsLeft() {
        see(0, 1_000_000);
        see(10_000, 2_000_000);
        assertThat(forecast.lostInSeconds(50_000_000L)).isEqualTo(500);
        assertThat(forecast.lostInSeconds(-1L)).isZero();
    }

    @Test
    void aSlotThatKeepsUpIsNotLost() {
        see(0, 2_000_000);
        see(10_000, 2_000_000);
        assertThat(forecast.lostInSeconds(50_000_000L)).isNull();
    }

    @Test
    void withoutALimitNothingIsLost() {
        see(0, 1_000_000);
        see(10_000, 2_000_000);
        assertThat(forecast.lostInSeconds(null)).isNull();
    }

    @Test
    void oneLookIsNoForecast() {
        see(0, 1_000_000);
        assertThat(forecast.lostInSeconds(50_000_000L)).isNull();
    }

    private void see(long millis, long retained) {
        forecast.see(new Slot(retained, true, "reserved", null, null), millis);
    }
}
