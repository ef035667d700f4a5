package io.wherry.coordinator.witness;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.util.List;

/**
 * What the witness names. Called by the witness' thread, in commit order. A call must not wait: the server keeps WAL for as long
 * as the witness does not read.
 *
 * <p>The {@code lsn} of a call is the lowest LSN that is above the start of the COMMIT of the change. A heartbeat's LSN covers all
 * COMMITs that start before that LSN. So once a heartbeat whose LSN is not below {@code lsn} is applied, the change is applied.
 *
 * <p>A call may come before other sessions of the source see the change ({@link Witness#position}).
 */
public interface Changes {
    /**
     * The row with this key was inserted, updated or deleted. An update that changes the key is named by both keys.
     *
     * @param table that the migration carries: a partitioned table that is carried whole stands for its partitions
     * @param key text of the identity's columns in the order of {@code CatalogTable.identity()}, as the server writes them with
     *     pinned settings
     * @param lsn above the start of the COMMIT, and at most its end
     */
    void changed(TableId table, List<String> key, Lsn lsn);

    /**
     * The table changed in a way that names no key: TRUNCATE, a change of a keyless table, a key that cannot be read, new files, or
     * the end of its place in the publication.
     *
     * @param lsn above the start of the COMMIT
     */
    void changedWhole(TableId table, Lsn lsn);
}
