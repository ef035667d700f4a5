package io.wherry.contract;

import java.util.List;

/**
 * What a load consists of; record of the control topic with key {@code plan}. A later plan with a higher epoch loads the tables
 * it names anew (their rows on the target are removed first); tables it does not name keep their earlier load.
 *
 * @param epoch 1 for the first load, one more each time
 * @param snapshotLsn every chunk was read under a snapshot that holds exactly the transactions that committed at or before
 *     this LSN, so changes with a commit LSN at or below it are already in the load
 */
public record LoadPlan(int epoch, Lsn snapshotLsn, List<Table> tables) {
    /** Key of this record in the control topic. */
    public static final String KEY = "plan";

    /**
     * @param topic change topic
     * @param partitions of the change topic
     * @param chunks number of chunks, numbered from 0
     * @param rowsEstimated by the statistics, -1 when unknown
     * @param bytesEstimated size of the heap and TOAST in bytes
     */
    public record Table(
            TableId id, String topic, int partitions, int chunks, long rowsEstimated, long bytesEstimated) {}
}
