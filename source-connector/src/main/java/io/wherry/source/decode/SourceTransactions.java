package io.wherry.source.decode;

import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Position;
import io.wherry.source.control.Route;
import java.util.Optional;

/** Takes source transactions, one after another in commit order, each {@code begin, row*, commit}. */
public interface SourceTransactions {
    /**
     * Which rows of a source transaction are wanted.
     *
     * @param wanted false = none: they were taken already
     * @param after the last row that was taken already; empty = none was
     */
    record Start(boolean wanted, Optional<RowPlace> after) {
        public static final Start WHOLE = new Start(true, Optional.empty());
        public static final Start NOT_WANTED = new Start(false, Optional.empty());

        /** What is wanted of the source transaction after what the position covers. */
        public static Start after(Position position, Lsn commitLsn) {
            if (!commitLsn.isAfter(position.commitLsn())) {
                return NOT_WANTED;
            }
            Position.Part part = position.part();
            return part == null || !part.commitLsn().equals(commitLsn)
                    ? WHOLE
                    : new Start(true, Optional.of(new RowPlace(part.rowLsn().value(), part.messages(), part.order())));
        }
    }

    /**
     * @param commitLsn of the transaction's COMMIT record
     * @param commitMillis its time, ms since 1970
     */
    Start begin(long commitLsn, long commitMillis);

    /**
     * A row whose place is among those of its partition.
     *
     * @param key null for a keyless table
     */
    void row(RowPlace place, Route route, int partition, byte[] key, byte[] value, RowMark mark);

    /**
     * A row whose place is among those of all partitions ({@link io.wherry.contract.record.Barrier}).
     *
     * @param key null for TRUNCATE, a break or a keyless table
     */
    void barrier(RowPlace place, Route route, byte[] key, byte[] value, RowMark mark);

    /** @param endLsn end of the COMMIT record */
    void commit(long commitLsn, long endLsn);

    /** Nothing more has come for now, perhaps in the middle of a transaction. */
    void quiet();
}
