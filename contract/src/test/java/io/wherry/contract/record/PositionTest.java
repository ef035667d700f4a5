package io.wherry.contract.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class PositionTest {
    private static final Position WHOLE = new Position(new Lsn(100), new Lsn(110), 7, new Timeline("7", 1));
    private static final Position WITHIN = new Position(
            Flow.FIRST_GENERATION,
            new Lsn(100),
            new Lsn(110),
            7,
            new Timeline("7", 1),
            new Position.Part(new Lsn(200), new Lsn(150), 2, 40));

    @Test
    void aPositionWithinATransactionCoversItsFirstRows() {
        assertThat(WITHIN.covers(new Lsn(100), 1_000)).isTrue();
        assertThat(WITHIN.covers(new Lsn(200), 40)).isTrue();
        assertThat(WITHIN.covers(new Lsn(200), 41)).isFalse();
        assertThat(WITHIN.covers(new Lsn(201), 1)).isFalse();
        assertThat(WHOLE.covers(new Lsn(200), 1)).isFalse();
        assertThat(WITHIN.newestCommit()).isEqualTo(new Lsn(200));
        assertThat(WITHIN.newest()).isEqualTo(new Lsn(200));
        assertThat(WHOLE.newest()).isEqualTo(new Lsn(110));
    }

    @Test
    void aPositionReadsAsItWasWritten() {
        assertThat(Json.read(Json.write(WITHIN), Position.class)).isEqualTo(WITHIN);
        assertThat(Json.read(Json.write(WHOLE), Position.class)).isEqualTo(WHOLE);
    }

    /** As version 1 wrote them: a reader that took the missing fields for zeros would begin at the wrong place. */
    @Test
    void recordsOfAnEarlierVersionAreRefusedByName() {
        refused("{\"commitLsn\":\"0/64\",\"endLsn\":\"0/6E\",\"commitMillis\":7}", Position.class);
        refused("{\"epoch\":1,\"snapshotLsn\":\"0/64\",\"tables\":[],\"lanes\":1}", LoadPlan.class);
        refused("{\"at\":\"2026-01-01T00:00:00Z\"}", SwitchDecided.class);
    }

    private static void refused(String json, Class<?> type) {
        assertThatThrownBy(() -> Json.read(json.getBytes(StandardCharsets.UTF_8), type))
                .isInstanceOf(DataException.class)
                .hasMessageContaining(type.getSimpleName())
                .hasMessageContaining("an earlier version of Wherry wrote it");
    }
}
