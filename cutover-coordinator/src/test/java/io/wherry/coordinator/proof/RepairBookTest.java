package io.wherry.coordinator.proof;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.proof.RepairBook.Arrived;
import io.wherry.coordinator.proof.RepairBook.State;
import io.wherry.coordinator.proof.RepairBook.Status;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Difference.Kind;
import io.wherry.coordinator.recheck.Differences;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What is ordered, what is refused, and what is sent when. */
final class RepairBookTest {
    private static final TableId HAY = new TableId("public", "hay");
    private static final TableId WIDE = new TableId("public", "wide");
    private static final TableId KEYLESS = new TableId("public", "keyless");

    private final RepairBook book = new RepairBook();

    private static Difference differs(TableId table, int id) {
        return new Difference(table, List.of("" + id), Kind.DIFFERS, List.of("v"));
    }

    private void order(int from, int to) {
        book.order(
                IntStream.rangeClosed(from, to).mapToObj(id -> differs(HAY, id)).toList(), RepairSecret.random());
    }

    @Test
    void tablesWithoutKeyAndTablesThatDifferWidelyAreRefusedByName() {
        List<Difference> standing = new ArrayList<>();
        standing.add(differs(HAY, 1));
        standing.add(new Difference(KEYLESS, List.of(), Kind.CONTENT_DIFFERS, List.of()));
        IntStream.range(0, Differences.MOST_OF_A_TABLE).forEach(id -> standing.add(differs(WIDE, id)));
        RepairOrder order = RepairOrder.of(standing, true);
        assertThat(order.rows()).isEqualTo(1);
        assertThat(order.tables()).extracting(RepairOrder.Table::rows).containsExactly(1, 0, 0);
        assertThat(order.tables().get(1).refused()).contains("wherry reload --table public.keyless");
        assertThat(order.tables().get(2).refused()).contains("wherry reload --table public.wide");
        assertThat(RepairOrder.repairable(standing)).containsExactly(differs(HAY, 1));
    }

    @Test
    void rowsThatCouldNotBeLockedTogetherComeOneByOne() throws Exception {
        order(1, 60);
        List<List<String>> first = book.next(HAY);
        assertThat(first).hasSize(50);
        book.later(HAY, first, "locked");
        assertThat(book.next(HAY)).as("those that were not tried").hasSize(10);
        book.next(HAY).forEach(key -> book.sent(HAY, key, new Lsn(7)));
        while (book.next(HAY).isEmpty()) {
            Thread.onSpinWait();
        }
        assertThat(book.next(HAY)).containsExactly(List.of("1"));
    }

    @Test
    void aRowHasArrivedWhenItsMessageIsApplied() {
        order(1, 2);
        book.sent(HAY, List.of("1"), new Lsn(7));
        book.sent(HAY, List.of("2"), new Lsn(9));
        assertThat(book.arrived(HAY, new Lsn(6))).isEmpty();
        assertThat(book.arrived(HAY, new Lsn(8))).extracting(Arrived::key).containsExactly(List.of("1"));
        book.set(HAY, List.of("1"), State.EQUAL, "");
        assertThat(book.arrived(HAY, new Lsn(9))).extracting(Arrived::key).containsExactly(List.of("2"));
        order(3, 3);
        assertThat(book.status())
                .as("what is decided is forgotten by the next order")
                .extracting(Status::state)
                .containsExactly(State.SENT, State.WAITING);
    }
}
