package io.wherry.source.decode;

import io.wherry.source.control.Route;

/**
 * Takes source transactions, one after another in commit order, each {@code begin, row*, commit}. Each row comes with its order: a
 * number within the source transaction, which rises from row to row, with gaps, and is the same whenever the source transaction is
 * sent again.
 */
public interface SourceTransactions {
    /** As the answer to {@link #begin}: no row of the source transaction is wanted. */
    long NONE = Long.MAX_VALUE;

    /**
     * @param commitLsn of the transaction's COMMIT record
     * @param commitMillis its time, ms since 1970
     * @return the order after which rows are wanted: 0 = all rows, {@link #NONE} = none, because all were taken already
     */
    long begin(long commitLsn, long commitMillis);

    /**
     * A row whose place is among those of its partition.
     *
     * @param key null for a keyless table
     */
    void row(long order, Route route, int partition, byte[] key, byte[] value);

    /**
     * A row whose place is among those of all partitions ({@link io.wherry.contract.record.Barrier}).
     *
     * @param key null for TRUNCATE or a keyless table
     */
    void barrier(long order, Route route, byte[] key, byte[] value);

    /** Rows of the table came or went that no record names ({@link io.wherry.contract.record.Break}). */
    void breakOff(long order, Route route, byte[] value);

    /** @param endLsn end of the COMMIT record */
    void commit(long commitLsn, long endLsn);

    /** Nothing more has come for now, perhaps in the middle of a transaction. */
    void quiet();
}
