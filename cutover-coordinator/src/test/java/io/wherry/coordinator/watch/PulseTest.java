package io.wherry.coordinator.watch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PulseTest {
    private final Pulse pulse = new Pulse(0);

    @Test
    void aSourceConnectorOrSinkApplierThatHangsIsToldFromOneThatWorks() {
        assertThat(pulse.silent(600_000)).as("not seen yet").isEmpty();
        pulse.reported(600_000);
        pulse.applied(100L, 600_000);
        assertThat(pulse.silent(620_000)).isEmpty();
        // The sink-applier's session exists, and shows no activity.
        pulse.applied(40_100L, 640_000);
        assertThat(pulse.silent(640_000))
                .containsExactly(
                        "source-connector: no report for 40 s",
                        "sink-applier: no activity of the session that holds its lock for 40 s");
        // The sink-applier's session is gone.
        pulse.applied(null, 650_000);
        pulse.reported(650_000);
        assertThat(pulse.silent(650_000))
                .containsExactly("sink-applier: no activity of the session that holds its lock for 50 s");
    }

    @Test
    void aCoordinatorWhoseThreadDoesNotComeRoundIsNotAlive() {
        assertThat(pulse.hangs(119_000)).isEmpty();
        assertThat(pulse.hangs(121_000))
                .hasValueSatisfying(why -> assertThat(why).contains("121 s"));
        pulse.turned(121_000);
        assertThat(pulse.hangs(122_000)).isEmpty();
    }
}
