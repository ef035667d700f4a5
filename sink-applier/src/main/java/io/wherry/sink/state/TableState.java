package io.wherry.sink.state;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;

/**
 * A row of {@code wherry.relation}.
 *
 * @param ready the coordinator has found the table loaded and indexed
 * @param stopped its changes or load contradict the target; the operator must act
 */
public record TableState(
        TableId table,
        String topic,
        int partitions,
        int loadEpoch,
        Lsn snapshotLsn,
        int chunks,
        boolean ready,
        boolean stopped) {

    /** Whether changes may be applied. */
    public boolean open() {
        return ready && !stopped;
    }
}
