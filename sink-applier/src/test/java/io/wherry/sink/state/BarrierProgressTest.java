package io.wherry.sink.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.sink.state.BarrierProgress.Note;
import io.wherry.sink.state.BarrierProgress.PartitionProgress;
import io.wherry.sink.state.BarrierProgress.Verdict;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class BarrierProgressTest {
    private static final TableId TABLE = new TableId("public", "hot");
    private static final Lsn BEFORE = new Lsn(90);
    private static final Lsn TRUNCATED = new Lsn(100);
    private static final Lsn LATER = new Lsn(200);

    private final Map<Integer, PartitionProgress> places = new HashMap<>();

    @Test
    void allWaitUntilTheLastHasCome() {
        waits(0, TRUNCATED);
        waits(1, TRUNCATED);
        places.put(2, new PartitionProgress(7, BEFORE, null));

        assertThat(verdict(0)).isEqualTo(Verdict.WAIT);
        assertThat(verdict(1)).isEqualTo(Verdict.WAIT);
    }

    @Test
    void partitionZeroAppliesOnceAllHaveCome() {
        waits(0, TRUNCATED);
        waits(1, TRUNCATED);
        waits(2, TRUNCATED);

        assertThat(verdict(0)).isEqualTo(Verdict.APPLY);
        assertThat(verdict(1)).isEqualTo(Verdict.WAIT);
        assertThat(standing().section()).isEmpty();
    }

    @Test
    void aNoteOfAnotherPlaceDoesNotCount() {
        waits(0, TRUNCATED);
        waits(1, TRUNCATED);
        places.put(2, new PartitionProgress(9, BEFORE, note(2, TRUNCATED)));

        assertThat(verdict(0)).isEqualTo(Verdict.WAIT);
    }

    @Test
    void whilePartitionZeroIsWithinTheOthersWait() {
        // A section may hold several source transactions.
        places.put(0, new PartitionProgress(15, LATER, note(0, TRUNCATED)));
        waits(1, TRUNCATED);
        waits(2, TRUNCATED);

        assertThat(standing().section()).contains(new Section(TRUNCATED, 1));
        assertThat(verdict(1)).isEqualTo(Verdict.WAIT);
    }

    @Test
    void afterItTheOthersGoOn() {
        places.put(0, new PartitionProgress(20, LATER, null));
        places.put(1, new PartitionProgress(11, TRUNCATED, null));
        places.put(2, new PartitionProgress(11, TRUNCATED, null));

        assertThat(standing().section()).isEmpty();
        assertThat(standing().of(note(1, TRUNCATED))).isEqualTo(Verdict.GO_ON);
    }

    @Test
    void oneThatIsSetBackByANewLoadWaitsToBeLeft() {
        places.put(0, new PartitionProgress(0, Lsn.ZERO, null));
        places.put(1, new PartitionProgress(0, Lsn.ZERO, null));

        assertThat(standing().of(note(1, TRUNCATED))).isEqualTo(Verdict.WAIT);
    }

    @Test
    void barriersThatCannotMeetAreRefused() {
        waits(0, LATER);
        waits(1, TRUNCATED);
        places.put(2, new PartitionProgress(7, BEFORE, null));
        assertThatThrownBy(() -> verdict(0)).isInstanceOf(DataException.class).hasMessageContaining("waits at another");

        places.put(0, new PartitionProgress(20, LATER, null));
        assertThatThrownBy(() -> verdict(1)).isInstanceOf(DataException.class).hasMessageContaining("beyond it");
    }

    private void waits(int partition, Lsn barrier) {
        places.put(partition, new PartitionProgress(10, BEFORE, note(partition, barrier)));
    }

    private static Note note(int partition, Lsn barrier) {
        return new Note(partition, new Section(barrier, 1), 10, 11);
    }

    private Verdict verdict(int partition) {
        return standing().of(places.get(partition).note());
    }

    private BarrierProgress standing() {
        return new BarrierProgress(TABLE, 3, Map.copyOf(places));
    }
}
