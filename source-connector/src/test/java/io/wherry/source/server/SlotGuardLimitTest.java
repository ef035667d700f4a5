package io.wherry.source.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import io.wherry.source.control.ControlLog;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;

final class SlotGuardLimitTest {
    private static final Timeline TIMELINE = new Timeline("7", 1);

    @Test
    void theSlotMayBeAtTheEndOfTheLastWholeTransaction() {
        Position whole = new Position(new Lsn(500), new Lsn(510), 0, TIMELINE);
        assertThat(SlotGuard.limit(loadedAt(99), Optional.of(whole))).contains(new Lsn(510));
        Position within = whole.within(TIMELINE, new Position.Part(new Lsn(900), new Lsn(800), 1, 7));
        assertThat(SlotGuard.limit(loadedAt(99), Optional.of(within))).contains(new Lsn(510));
    }

    /** Seen to fail: the slot of a migration whose first transaction is long was taken for one that was moved. */
    @Test
    void withinTheFirstTransactionTheLoadIsTheLimit() {
        Position first = new Position(
                Flow.FIRST_GENERATION,
                Lsn.ZERO,
                Lsn.ZERO,
                0,
                TIMELINE,
                new Position.Part(new Lsn(900), new Lsn(800), 1, 7));
        assertThat(SlotGuard.limit(loadedAt(99), Optional.of(first))).contains(new Lsn(100));
        assertThat(SlotGuard.limit(loadedAt(99), Optional.empty())).contains(new Lsn(100));
        assertThat(SlotGuard.limit(new ControlLog(), Optional.empty())).isEmpty();
    }

    private static ControlLog loadedAt(long snapshot) {
        ControlLog log = new ControlLog();
        byte[] plan = Json.write(new LoadPlan(1, new Lsn(snapshot), List.of()));
        log.see(new ConsumerRecord<>("t", 0, 0, LoadPlan.KEY.getBytes(StandardCharsets.UTF_8), plan));
        return log;
    }
}
