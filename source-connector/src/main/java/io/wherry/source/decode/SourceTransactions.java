package io.wherry.source.decode;

import io.wherry.source.control.Route;

/** Takes source transactions, one after another in commit order, each {@code begin, row*, commit}. */
public interface SourceTransactions {
    /**
     * @param commitLsn of the transaction's COMMIT record
     * @param commitMillis its time, ms since 1970
     * @return whether the transaction's rows are wanted: false when they were taken already
     */
    boolean begin(long commitLsn, long commitMillis);

    /**
     * A row whose place is among those of its partition.
     *
     * @param key null for a keyless table
     */
    void row(Route route, int partition, byte[] key, byte[] value);

    /**
     * A row whose place is among those of all partitions ({@link io.wherry.contract.record.Barrier}).
     *
     * @param key null for TRUNCATE or a keyless table
     */
    void barrier(Route route, byte[] key, byte[] value);

    /** @param endLsn end of the COMMIT record */
    void commit(long commitLsn, long endLsn);

    /** Nothing more has come for now, perhaps in the middle of a transaction. */
    void quiet();
}
