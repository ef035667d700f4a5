package io.wherry.coordinator.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.watch.Observation.Slot;
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

    @Test
    void aSlotThatNobodyReadsIsLostWhenTheSourceGivesItUp() {
        assertThat(forecast.lostIn(new Slot(1L, false, "reserved", null, null, 90L, null)))
                .isEqualTo(90);
        see(0, 1_000_000);
        see(10_000, 2_000_000);
        assertThat(forecast.lostIn(new Slot(1L, false, "reserved", null, 50_000_000L, 90L, null)))
                .isEqualTo(90);
        assertThat(forecast.lostIn(new Slot(1L, true, "reserved", null, 50_000_000L, null, null)))
                .isEqualTo(500);
    }

    private void see(long millis, long retained) {
        forecast.see(new Slot(retained, true, "reserved", null, null), millis);
    }
}
