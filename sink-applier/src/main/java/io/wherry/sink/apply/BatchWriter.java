package io.wherry.sink.apply;

import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.sink.merge.ChangeBatch;
import io.wherry.sink.merge.Way;
import io.wherry.sink.read.PartitionCursor;
import io.wherry.sink.state.Barriers;
import io.wherry.sink.state.Checkpoints;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.TableStates;
import io.wherry.sink.write.TableWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes batches to the target in a session of its own, one transaction for each batch over all its tables. */
public final class BatchWriter {
    private static final Logger LOG = LoggerFactory.getLogger(BatchWriter.class);

    private static final String DEADLOCK = "40P01";
    private static final int MOST_DEADLOCKS = 10;
    /** Batches of a table after a COPY that was refused: often the next one meets such rows too, of the same load. */
    private static final int WITHOUT_COPY = 50;

    private final Connection target;
    private final boolean checked;
    private final Checkpoints checkpoints;
    private final Barriers barriers;
    private final BatchRelations relations;
    private final TableWriter writer;
    private final Failpoints failpoints;
    /** Tables whose rows go without COPY for some more batches. */
    private final Map<TableId, Integer> withoutCopy = new HashMap<>();

    /**
     * @param target a session in transaction mode; only this writer and its owner use it
     * @param checked whether the session checks deferrable constraints; a session that acts as a replica does not
     */
    public BatchWriter(Connection target, boolean checked, long epoch, Failpoints failpoints) {
        this.target = target;
        this.checked = checked;
        this.checkpoints = new Checkpoints(target, epoch);
        this.barriers = new Barriers(checkpoints);
        this.relations = new BatchRelations(target, barriers);
        this.writer = new TableWriter(target);
        this.failpoints = failpoints;
    }

    Connection target() {
        return target;
    }

    Barriers barriers() {
        return barriers;
    }

    TableWriter tables() {
        return writer;
    }

    /**
     * Writes the batch, and commits.
     *
     * @param readings of the batch's tables
     * @return tables that were taken out of the batch, and whose partitions must not be read further: this writer or another has
     *     stopped them, or they are being re-loaded
     */
    Set<TableId> apply(ChangeBatch batch, Collection<PartitionCursor> readings) throws SQLException {
        Set<TableId> left = new HashSet<>();
        Map<TableId, Way> ways = new HashMap<>();
        batch.tables().forEach(table -> ways.put(table, firstWay(table)));
        int deadlocks = 0;
        int refusedCopies = 0;
        while (!batch.isEmpty()) {
            TableState current = null;
            boolean checking = false;
            try {
                Set<TableId> stale = relations.hold(batch);
                if (stale.isEmpty()) {
                    deferChecks(true);
                    for (ChangeBatch.Part part : batch.parts()) {
                        current = part.relation();
                        boolean ordered = current.partitions() == 1;
                        writer.apply(current.table(), ordered, part.changes(), ways.get(current.table()));
                    }
                    current = null;
                    checking = true;
                    deferChecks(false);
                    checking = false;
                    relations.count(batch);
                    checkpoints.move(batch.moves());
                    relations.pass(batch);
                    writer.writeEvents();
                    failpoints.before(Effect.BATCH_APPLIED);
                    target.commit();
                    failpoints.after(Effect.BATCH_APPLIED);
                    return left;
                }
                rollBack();
                stale.forEach(batch::drop);
                left.addAll(stale);
            } catch (SQLException | DataException e) {
                rollBack();
                current = checking ? batch.violated(e) : current;
                if (deadlocks < MOST_DEADLOCKS && isDeadlock(e)) {
                    // With another worker, a new load of a table, or a person. The batch is complete and is written
                    // again.
                    deadlocks++;
                    LOG.info("The server ended a batch in a deadlock; the batch is written again: {}", e.getMessage());
                    continue;
                }
                String object = current == null ? "batch" : current.table().toString();
                WherryException failure = Failures.explain("apply changes to", object, e);
                if (!(failure instanceof DataException) || current == null) {
                    throw failure;
                }
                if (checking && holdBack(batch, current.table(), readings)) {
                    continue;
                }
                // Within a batch, Wherry chooses the order. If the events fail one by one in their original order too,
                // the data is refused.
                Optional<Way> next = nextWay(ways.get(current.table()), current.table(), checking);
                if (next.isPresent()) {
                    ways.put(current.table(), next.get());
                    if (next.get() == Way.MERGED && ++refusedCopies > 1) {
                        // Otherwise a batch of many tables would be written as often as it has tables.
                        ways.replaceAll((table, way) -> way == Way.COPY ? Way.MERGED : way);
                    }
                } else {
                    batch.drop(current.table());
                    left.add(current.table());
                    stop(current, failure);
                }
            } catch (RuntimeException e) {
                // The worker waits for its lane before it ends, and the lane may wait for locks of this transaction.
                rollBack();
                throw e;
            }
        }
        return left;
    }

    private Way firstWay(TableId table) {
        Integer left = withoutCopy.computeIfPresent(table, (id, batches) -> batches == 1 ? null : batches - 1);
        return left == null ? Way.COPY : Way.MERGED;
    }

    private Optional<Way> nextWay(Way failed, TableId table, boolean checking) {
        if (failed == Way.COPY && writer.hasCopied() && !checking) {
            withoutCopy.put(table, WITHOUT_COPY);
            LOG.info("{}: the target refused new rows by COPY; the next {} batches go without", table, WITHOUT_COPY);
            return Optional.of(Way.MERGED);
        }
        return failed == Way.SINGLY ? Optional.empty() : Optional.of(Way.SINGLY);
    }

    private static boolean isDeadlock(Exception e) {
        return e instanceof SQLException sql && DEADLOCK.equals(Sessions.state(sql));
    }

    private void rollBack() throws SQLException {
        target.rollback();
        writer.rolledBack();
    }

    /** The source made these checks at the end of a statement or a transaction, so the target cannot make them row by row. */
    private void deferChecks(boolean deferred) throws SQLException {
        if (checked) {
            try (Statement statement = target.createStatement()) {
                statement.execute("SET CONSTRAINTS ALL " + (deferred ? "DEFERRED" : "IMMEDIATE"));
            }
        }
    }

    private static boolean holdBack(ChangeBatch batch, TableId table, Collection<PartitionCursor> readings) {
        return readings.stream()
                .filter(reading -> reading.relation().table().equals(table))
                .anyMatch(reading -> reading.holdBack(batch));
    }

    /** Stops a table: no worker reads it further until the operator has cleared it. */
    void stop(TableState relation, WherryException failure) throws SQLException {
        LOG.error("Changes of {} are stopped: {}", relation.table(), failure.explained(), failure);
        TableStates.stop(target, relation.table(), relation.loadEpoch(), failure.explained(), checkpoints.epoch());
        target.commit();
    }
}
