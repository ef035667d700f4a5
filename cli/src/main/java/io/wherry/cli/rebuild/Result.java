package io.wherry.cli.rebuild;

import io.wherry.contract.postgres.Lsn;
import java.util.List;

/**
 * What a rebuild has made.
 *
 * @param already whether an earlier run had made it
 * @param commitLsn every source transaction that committed up to here is in the database, and none after it
 * @param commitMillis the time of that commit on the source's clock, ms since 1970
 * @param rowsLoaded by the load
 * @param changesApplied inserts, updates, deletes and TRUNCATEs after it
 * @param missing what the database lacks, one line each
 * @param leftOut what it lacks besides, because some tables were chosen, one line each
 */
public record Result(
        boolean already,
        Lsn commitLsn,
        long commitMillis,
        int tables,
        long rowsLoaded,
        long changesApplied,
        List<String> missing,
        List<String> leftOut) {
    public Result {
        missing = List.copyOf(missing);
        leftOut = List.copyOf(leftOut);
    }
}
