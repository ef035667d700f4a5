package io.wherry.source.decode;

import io.wherry.contract.error.DataException;
import io.wherry.contract.postgres.Lsn;

/**
 * Where a row is within its source transaction.
 *
 * @param lsn of the WAL record that the row is of; several rows may have one
 * @param message number of the message among those of this WAL record, from 1
 * @param order number of the row among those of the transaction that have a topic, from 1
 */
public record RowPlace(long lsn, int message, long order) {
    /** Whether one message of the stream holds both rows, as a TRUNCATE of several tables does. */
    public boolean isOfSameMessage(RowPlace other) {
        return lsn == other.lsn && message == other.message;
    }

    /** Whether the row's message comes after that of another row. The server sends a transaction's messages by rising LSN. */
    public boolean isAfter(RowPlace other) {
        return isAfter(other, lsn, message);
    }

    /** The failure of a stream in which this row came after another row that it must precede. */
    public DataException behind(RowPlace other, Lsn commitLsn) {
        return new DataException(
                "stream changes",
                "transaction " + commitLsn,
                "the source sent the row of " + new Lsn(lsn) + " after that of " + new Lsn(other.lsn),
                "Report this with the source's version; then wherry reload --all");
    }

    static boolean isAfter(RowPlace place, long lsn, int message) {
        int compared = Long.compareUnsigned(lsn, place.lsn);
        return compared > 0 || compared == 0 && message > place.message;
    }
}
