package io.wherry.source;

import java.nio.charset.StandardCharsets;

/**
 * The transaction whose rows come, as {@code source} tells of it.
 *
 * @param commitLsn of its COMMIT record
 * @param number its xid, unsigned
 * @param commitMillis its commit's time on the source's clock, ms since 1970
 * @param readMillis when it began to come, on our clock, ms since 1970
 * @param sequenceStart {@code sequence} of its rows, up to the row's own LSN
 */
record SourceTransaction(long commitLsn, long number, long commitMillis, long readMillis, byte[] sequenceStart) {
    /** @param previousEnd end of the COMMIT record before it in the stream, 0 = it is the first; as Debezium does */
    SourceTransaction(long commitLsn, long number, long commitMillis, long readMillis, long previousEnd) {
        this(commitLsn, number, commitMillis, readMillis, sequenceStart(previousEnd));
    }

    private static byte[] sequenceStart(long previousEnd) {
        String previous = previousEnd == 0 ? "null" : '"' + Long.toUnsignedString(previousEnd) + '"';
        return ("[" + previous + ",\"").getBytes(StandardCharsets.US_ASCII);
    }
}
