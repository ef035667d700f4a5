package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.DirtyKeys.Size;
import io.wherry.coordinator.recheck.DirtyKeys.Taken;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("no-servers")
final class DirtyKeysTest {
    private static final TableId T = new TableId("public", "t");
    private static final TableId OTHER = new TableId("public", "other");
    private static final List<String> KEY = List.of("1");

    private static Lsn lsn(long value) {
        return new Lsn(value);
    }

    @Test
    void aKeyIsTakenOnceItsLastChangeHasPassed() {
        DirtyKeys dirty = new DirtyKeys(1 << 20, 10);
        dirty.changed(T, KEY, lsn(5));
        dirty.changed(T, List.of("2"), lsn(6));
        dirty.changed(T, KEY, lsn(9));
        assertThat(dirty.take(T, lsn(5), 10)).isEmpty();
        assertThat(dirty.take(T, lsn(8), 10)).containsExactly(new Taken(List.of("2"), lsn(6), false));
        assertThat(dirty.take(T, lsn(9), 10)).containsExactly(new Taken(KEY, lsn(9), false));
        assertThat(dirty.take(T, lsn(9), 10)).isEmpty();
        assertThat(dirty.size(T)).isEqualTo(new Size(0, 0, 0));
    }

    @Test
    void theWitnessOutweighsASuspicion() {
        DirtyKeys dirty = new DirtyKeys(1 << 20, 10);
        dirty.changed(T, KEY, lsn(5));
        dirty.suspect(T, KEY, lsn(9));
        assertThat(dirty.take(T, lsn(5), 10)).containsExactly(new Taken(KEY, lsn(5), false));
        dirty.suspect(T, KEY, lsn(9));
        List<Taken> suspect = dirty.take(T, lsn(9), 10);
        assertThat(suspect).containsExactly(new Taken(KEY, lsn(9), true));
        dirty.changed(T, KEY, lsn(11));
        dirty.putBack(T, suspect);
        assertThat(dirty.take(T, lsn(11), 10)).containsExactly(new Taken(KEY, lsn(11), false));
        dirty.putBack(T, suspect);
        assertThat(dirty.take(T, lsn(9), 10)).as("put back as it was").isEqualTo(suspect);
    }

    @Test
    void theTableWithTheMostBytesCollapses() {
        DirtyKeys dirty = new DirtyKeys(10_000, 1_000);
        dirty.changed(OTHER, List.of("x".repeat(3_000)), lsn(3));
        dirty.changed(T, KEY, lsn(4));
        dirty.changed(T, List.of("y".repeat(2_000)), lsn(5));
        assertThat(dirty.size(OTHER).whole()).isEqualTo(1);
        assertThat(dirty.size(T)).returns(0, Size::whole).returns(2L, Size::keys);
        assertThat(dirty.sizes().values().stream().mapToLong(Size::bytes).sum()).isBetween(4_000L, 10_000L);
    }

    @Test
    void aMarkHasTheLargestPositionThatTheTableEverHad() {
        DirtyKeys dirty = new DirtyKeys(1 << 20, 2);
        dirty.changed(T, KEY, lsn(7));
        dirty.take(T, lsn(7), 10);
        for (int key = 2; key <= 4; key++) {
            dirty.changed(T, List.of("k" + key), lsn(5));
        }
        assertThat(dirty.isWhole(T)).isTrue();
        assertThat(dirty.take(T, lsn(100), 10)).isEmpty();
        dirty.suspect(T, KEY, lsn(100));
        assertThat(dirty.size(T).keys()).isZero();
        assertThat(dirty.takeWhole(T, lsn(6))).isEmpty();
        dirty.changed(T, KEY, lsn(8));
        assertThat(dirty.takeWhole(T, lsn(8))).contains(lsn(8));
        assertThat(dirty.takeWhole(T, lsn(8))).isEmpty();
        dirty.changed(T, KEY, lsn(9));
        assertThat(dirty.size(T)).returns(1L, Size::keys).returns(0, Size::whole);
        dirty.changedWhole(T, Lsn.ZERO);
        assertThat(dirty.takeWhole(T, lsn(100))).as("what is dropped counts").contains(lsn(9));
    }
}
