package io.wherry.source.decode;

/**
 * The transaction whose rows come.
 *
 * @param commitLsn of its COMMIT record
 * @param number its xid, unsigned
 * @param commitMillis its commit's time on the source's clock, ms since 1970
 * @param readMillis when it began to come, on our clock, ms since 1970
 */
record SourceTransaction(long commitLsn, long number, long commitMillis, long readMillis) {}
