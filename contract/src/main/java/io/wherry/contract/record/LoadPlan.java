package io.wherry.contract.record;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;

/**
 * The plan of a load; record of the control topic with key {@code plan}. A later plan with a higher epoch re-loads the tables
 * that it names (their rows on the target are removed first). Tables that it does not name keep their earlier load.
 *
 * @param generation of the flow that the load belongs to ({@link Flow}), from 1
 * @param epoch 1 for the first load, one more for each later plan
 * @param snapshotLsn every chunk was read under a snapshot that holds exactly the transactions that committed at or before
 *     this LSN, so changes with a commit LSN at or below it are already in the load
 * @param lanes partitions of the load topic that its chunks go to; 0 = all partitions of the topic
 * @param timeline of the server whose snapshot it is; null = not known
 */
public record LoadPlan(int generation, int epoch, Lsn snapshotLsn, List<Table> tables, int lanes, Timeline timeline) {
    /** Key of this record in the control topic. */
    public static final String KEY = "plan";

    public LoadPlan {
        Objects.requireNonNull(snapshotLsn, "snapshotLsn");
        Objects.requireNonNull(tables, "tables");
        Generations.require(generation);
    }

    public LoadPlan(int epoch, Lsn snapshotLsn, List<Table> tables) {
        this(Flow.FIRST_GENERATION, epoch, snapshotLsn, tables, 0, null);
    }

    /** The same plan with the tables that are wanted. */
    public LoadPlan only(Predicate<TableId> wanted) {
        return new LoadPlan(
                generation,
                epoch,
                snapshotLsn,
                tables.stream().filter(table -> wanted.test(table.id())).toList(),
                lanes,
                timeline);
    }

    /**
     * @param topic change topic
     * @param partitions of the change topic
     * @param chunks number of chunks, numbered from 0
     * @param rowsEstimated by the statistics, -1 when unknown
     * @param bytesEstimated size of the heap and TOAST in bytes
     * @param resumed the earlier load that this load continues; null = none, all chunks are read again
     * @param oid of the table on the source: another table may get its name later; 0 = not known
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
     * A load that continues after its snapshot is gone. Chunks that are in Kafka stay. The other chunks are read under the new
     * snapshot. One more chunk, the last, brings the rows that were written since the first snapshot, wherever they are now.
     *
     * <p>First, the target removes each row whose key appears in a change between the two snapshots. So the chunks that stay keep
     * only rows that no transaction has changed. These rows are in the new snapshot too. With the other chunks the table is
     * complete, and no row is there twice. The missing chunks alone are not enough, because rows move. Counterexample: an UPDATE
     * moves a row of a missing chunk to a place within a finished chunk; then the row is in neither.
     *
     * @param epoch of the earlier load
     * @param chunks that stay, ascending
     * @param key columns that identify a row
     */
    public record Resumed(int epoch, List<Integer> chunks, List<String> key) {}
}
