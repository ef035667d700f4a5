package io.wherry.contract.record;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Pieces.Piece;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;

/** Events that come twice, or late, or in another order than they were written. */
final class SchemaHistoryTest {
    private static final String LARGE = "x".repeat(1_000_000);
    private static final SchemaEvent FIRST = event("first", LARGE);
    private static final SchemaEvent SECOND = event("second", "");
    private static final SchemaEvent OTHER = event("other", "");

    private final SchemaHistory history = new SchemaHistory();

    @Test
    void aLatePieceOfAnEarlierSendLosesNothing() {
        List<Piece> pieces = Pieces.of(1, FIRST);
        assertThat(pieces).hasSizeGreaterThan(2);
        see(pieces.get(0));
        see(pieces.get(1));
        see(pieces.get(0));
        see(pieces.get(1));
        see(pieces.get(1));
        pieces.subList(2, pieces.size()).forEach(this::see);

        assertThat(history.events()).containsExactly(FIRST);
    }

    @Test
    void anEventThatComesAgainLaterDoesNotTakeThePlaceOfItsSuccessors() {
        see(1, FIRST);
        see(2, SECOND);
        see(1, FIRST);

        assertThat(history.events()).containsExactly(FIRST, SECOND);
    }

    @Test
    void anotherEventWithTheSameIdTakesThePlaceOfAllFromThereOn() {
        see(1, FIRST);
        see(2, SECOND);
        see(3, SECOND);
        see(2, OTHER);

        assertThat(history.events()).containsExactly(FIRST, OTHER);
    }

    @Test
    void ofEqualIdsOfTopicsTheLatestRecordCounts() {
        for (long lsn = 1; lsn <= 3; lsn++) {
            seeTopics(lsn, "a");
        }
        seeTopics(4, "b");
        seeTopics(5, "a");

        assertThat(history.topics()).extracting(seen -> seen.lsn().value()).containsExactly(3L, 4L, 5L);
    }

    private void seeTopics(long lsn, String id) {
        TopicsSeen seen = new TopicsSeen(1, new Lsn(lsn), Map.of("topic", id));
        Pieces.of(lsn, seen).forEach(piece -> history.see(record(TopicsSeen.KEY, piece)));
    }

    private void see(long id, SchemaEvent event) {
        Pieces.of(id, event).forEach(this::see);
    }

    private void see(Piece piece) {
        history.see(record(SchemaEvent.KEY, piece));
    }

    private static ConsumerRecord<byte[], byte[]> record(String key, Piece piece) {
        return new ConsumerRecord<>("control", 0, 0, key.getBytes(StandardCharsets.UTF_8), Json.write(piece));
    }

    private static SchemaEvent event(String object, String sql) {
        return SchemaEvent.followed(1, new Lsn(1), object, new TableId("public", "t"), sql, false);
    }
}
