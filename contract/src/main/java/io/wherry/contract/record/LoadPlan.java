package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import java.util.List;
import java.util.Objects;

/**
 * What a load consists of; record of the control topic with key {@code plan}. A later plan with a higher epoch loads the tables
 * it names anew (their rows on the target are removed first); tables it does not name keep their earlier load.
 *
 * @param epoch 1 for the first load, one more each time
 * @param snapshotLsn every chunk was read under a snapshot that holds exactly the transactions that committed at or before
 *     this LSN, so changes with a commit LSN at or below it are already in the load
 * @param lanes partitions of the load topic that its chunks go to; 0 = all that the topic has, by a source-connector of before
 * @param timeline of the server whose snapshot it is; null = a source-connector of before wrote it
 */
public record LoadPlan(int epoch, Lsn snapshotLsn, List<Table> tables, int lanes, Timeline timeline) {
    /** Key of this record in the control topic. */
    public static final String KEY = "plan";

    public LoadPlan {
        Objects.requireNonNull(snapshotLsn, "snapshotLsn");
        Objects.requireNonNull(tables, "tables");
    }

    public LoadPlan(int epoch, Lsn snapshotLsn, List<Table> tables) {
        this(epoch, snapshotLsn, tables, 0, null);
    }

    /**
     * @param topic change topic
     * @param partitions of the change topic
     * @param chunks number of chunks, numbered from 0
     * @param rowsEstimated by the statistics, -1 when unknown
     * @param bytesEstimated size of the heap and TOAST in bytes
     * @param resumed what this load goes on with; null = nothing, all chunks are read anew
     * @param oid of the table on the source: another table may have its name later; 0 = a source-connector of before wrote it
     * @param shape {@code Catalog#shape} of the table on the source; 0 = not known
     */
    public record Table(
            TableId id,
            String topic,
            int partitions,
            int chunks,
            long rowsEstimated,
            long bytesEstimated,
            Resumed resumed,
            long oid,
            int shape) {
        public Table {
            Objects.requireNonNull(id, "id");
            Objects.requireNonNull(topic, "topic");
        }

        public Table(TableId id, String topic, int partitions, int chunks, long rowsEstimated, long bytesEstimated) {
            this(id, topic, partitions, chunks, rowsEstimated, bytesEstimated, null, 0, 0);
        }
    }

    /**
     * A load that goes on after its snapshot is gone. Chunks that are in Kafka stay; the others are read under the new
     * snapshot, and one more, the last, brings the rows that were written since the first snapshot wherever they are now.
     *
     * <p>Before, the target removes each row that a change between the two snapshots names by its key. What is left of the
     * chunks that stay are rows which nobody has touched, so they are in the new snapshot too; with the others it is
     * complete, whole and without a row twice. That rows move is why the missing chunks alone would not do: a row of a
     * missing chunk that an UPDATE moved to the place of a finished one would be in neither.
     *
     * @param epoch of the load before
     * @param chunks that stay, ascending
     * @param key columns that identify a row
     */
    public record Resumed(int epoch, List<Integer> chunks, List<String> key) {}
}
