package io.wherry.source.decode;

/**
 * The source transaction whose rows are arriving.
 *
 * @param commitLsn of its COMMIT record
 * @param number its xid, unsigned
 * @param commitMillis its commit's time on the source's clock, ms since 1970
 * @param readMillis when its first message arrived, on this process's clock, ms since 1970
 */
record SourceTransaction(long commitLsn, long number, long commitMillis, long readMillis) {}
