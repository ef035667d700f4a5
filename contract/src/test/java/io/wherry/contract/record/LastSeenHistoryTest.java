package io.wherry.contract.record;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LastSeen.Sequence;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;

/** Values of sequences, of which each record has only what changed. */
final class LastSeenHistoryTest {
    private static final TableId A = new TableId("public", "a_id_seq");
    private static final TableId B = new TableId("public", "b_id_seq");

    @Test
    void aMomentHasTheValuesOfTheFirstRecordAfterIt() {
        List<LastSeen> records = List.of(
                whole(10, List.of(), value(A, 1), value(B, 1)),
                part(20, value(A, 2)),
                part(30, value(B, 3)),
                part(40, value(A, 4)));

        assertThat(at(5, records)).containsExactly(value(A, 1), value(B, 1));
        assertThat(at(15, records)).containsExactly(value(A, 2), value(B, 1));
        assertThat(at(30, records)).containsExactly(value(A, 2), value(B, 3));
        assertThat(at(99, records)).containsExactly(value(A, 4), value(B, 3));
    }

    @Test
    void aLockedSequenceKeepsItsValueAndADroppedOneIsForgotten() {
        assertThat(at(99, List.of(whole(10, List.of(), value(A, 1), value(B, 1)), whole(20, List.of(B), value(A, 2)))))
                .containsExactly(value(A, 2), value(B, 1));
        assertThat(at(99, List.of(whole(10, List.of(), value(A, 1), value(B, 1)), whole(20, List.of(), value(A, 2)))))
                .containsExactly(value(A, 2));
    }

    @Test
    void aCoordinatorThatWasReplacedDoesNotBringValuesBack() {
        assertThat(at(99, List.of(whole(20, List.of(), value(A, 2)), part(10, value(A, 1)))))
                .containsExactly(value(A, 2));
        assertThat(at(99, List.of(part(10, value(A, 1))))).isEmpty();
    }

    @Test
    void onlyWhatChangedIsWritten() {
        LastSeen before = whole(10, List.of(), value(A, 1), value(B, 1));

        assertThat(whole(20, List.of(), value(A, 1), value(B, 1)).since(before)).isEmpty();
        assertThat(whole(20, List.of(B), value(A, 1)).since(before)).isEmpty();
        assertThat(whole(20, List.of(), value(A, 1), value(B, 2)).since(before)).contains(part(20, value(B, 2)));
        LastSeen dropped = whole(20, List.of(), value(A, 1));
        assertThat(dropped.since(before)).contains(dropped);
    }

    private static List<Sequence> at(long until, List<LastSeen> records) {
        LastSeenHistory history = new LastSeenHistory(new Lsn(until));
        for (LastSeen record : records) {
            Pieces.of(record.lsn().value(), record)
                    .forEach(piece -> history.see(new ConsumerRecord<>(
                            "last-seen", 0, 0, LastSeen.KEY.getBytes(StandardCharsets.UTF_8), Json.write(piece))));
        }
        return history.known().map(LastSeen::sequences).orElse(List.of());
    }

    private static Sequence value(TableId id, long last) {
        return new Sequence(id, last, true);
    }

    private static LastSeen whole(long lsn, List<TableId> unread, Sequence... values) {
        return new LastSeen(1, new Lsn(lsn), lsn, true, List.of(values), unread, false, List.of());
    }

    private static LastSeen part(long lsn, Sequence... values) {
        return whole(lsn, List.of(), values).part(List.of(values));
    }
}
