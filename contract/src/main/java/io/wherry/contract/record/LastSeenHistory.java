package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Pieces.Piece;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * What no stream carries, as of a commit, taken record by record. Holds what one moment had, however many records there are. Not safe
 * for use by several threads.
 */
public final class LastSeenHistory {
    private final Pieces.Joiner<LastSeen> joiner = new Pieces.Joiner<>(LastSeen.class);
    private final Lsn until;
    private LastSeen known;

    /** @param until commit LSN that the database is wanted as of */
    public LastSeenHistory(Lsn until) {
        this.until = until;
    }

    /** Takes a record. */
    public void see(ConsumerRecord<byte[], byte[]> record) {
        if (record.key() != null && LastSeen.KEY.equals(new String(record.key(), StandardCharsets.UTF_8))) {
            joiner.add(Json.read(record, Piece.class)).ifPresent(whole -> see(whole.value()));
        }
    }

    private void see(LastSeen next) {
        if (known == null) {
            known = next.whole() ? next : null;
        } else if (until.isAfter(known.lsn())) {
            known = next.after(known);
        }
    }

    /** What was seen first after the commit, or else last before the commit; empty = never. */
    public Optional<LastSeen> known() {
        return Optional.ofNullable(known);
    }
}
