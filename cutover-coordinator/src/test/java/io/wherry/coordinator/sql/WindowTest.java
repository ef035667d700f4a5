package io.wherry.coordinator.sql;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.sql.Window.Part;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class WindowTest {
    private final Window window = new Window(Duration.ofMinutes(1));

    @Test
    void partsHaveTheStageInWhichTheyBeganAndFollowOneAnother() {
        window.enters("FENCING");
        window.begins("the fence");
        window.enters("DRAINING");
        window.begins("the sink-applier");
        window.begins("");
        window.enters("VERIFYING");
        window.begins("the witness");
        assertThat(window.parts()).extracting(Part::stage).containsExactly("FENCING", "DRAINING");
        assertThat(window.parts()).extracting(Part::name).containsExactly("the fence", "the sink-applier");
        Part fence = window.parts().get(0);
        assertThat(fence.beganMillis()).isNotNegative();
        assertThat(window.parts().get(1).beganMillis()).isGreaterThanOrEqualTo(fence.beganMillis() + fence.millis());
    }

    /** Seen to fail when the end of a part took away what the window waited for: the reason of the abort had lost it. */
    @Test
    void aPartThatFailsCountsAndTheReasonStillNamesIt() {
        window.begins("the switch row");
        window.partEnds();
        window.partEnds();
        assertThat(window.parts()).extracting(Part::name).containsExactly("the switch row");
        window.giveUp("the operator asked for it");
        assertThat(window.endReason()).isEqualTo("the operator asked for it while waiting for the switch row");
    }
}
