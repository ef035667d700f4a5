package io.wherry.cli.rebuild;

import io.wherry.contract.postgres.Lsn;
import java.util.List;

/**
 * How far a database is that follows the topics.
 *
 * @param commitLsn every source transaction that committed up to here is in the database; zero = not known yet
 * @param ageMillis time since that commit, by the clocks of this machine and the source, ms; null = not known yet
 * @param tables that are loaded, of {@code tablesWanted}
 * @param stopped tables whose changes are not applied now, with the reason
 * @param waits what of the schema waits, with the reason
 */
public record Following(
        Lsn commitLsn, Long ageMillis, long tables, long tablesWanted, List<String> stopped, List<String> waits) {
    public Following {
        stopped = List.copyOf(stopped);
        waits = List.copyOf(waits);
    }
}
