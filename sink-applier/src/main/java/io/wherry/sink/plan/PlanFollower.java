package io.wherry.sink.plan;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.sink.load.ResumedLoad;
import io.wherry.sink.state.Checkpoints;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.StopSignal;
import io.wherry.sink.state.TableStates;
import io.wherry.sink.table.TargetCatalog;
import io.wherry.sink.write.TableWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the load plans of the control topic into {@code wherry.relation} and {@code wherry.checkpoint}. Every start reads them
 * from the beginning; a plan that is in already, or older than what is in, changes nothing.
 */
public final class PlanFollower {
    private static final Logger LOG = LoggerFactory.getLogger(PlanFollower.class);
    private static final Duration POLL = Duration.ofMillis(200);

    private final Flow flow;
    private final Connection target;
    private final Checkpoints checkpoints;
    private final PlannedRelations relations;
    private final PlannedCheckpoints plannedCheckpoints;
    private final ResumedLoad resumedLoad;
    private final ReplacedTables replaced;
    private final UnaryOperator<LoadPlan> wanted;
    private final StopSignal stop;
    private final Failpoints failpoints;
    private final Set<TableId> missing = new HashSet<>();

    /**
     * @param target a session in transaction mode that is this follower's alone
     * @param wanted leaves out of a plan the tables that are not to be loaded by it
     */
    public PlanFollower(
            Flow flow,
            SchemaRegistry registry,
            Connection target,
            long epoch,
            UnaryOperator<LoadPlan> wanted,
            StopSignal stop,
            Failpoints failpoints) {
        this.wanted = wanted;
        this.flow = flow;
        this.resumedLoad = new ResumedLoad(flow, target, registry);
        this.target = target;
        this.checkpoints = new Checkpoints(target, epoch);
        this.relations = new PlannedRelations(target);
        this.plannedCheckpoints = new PlannedCheckpoints(flow.migration(), target, epoch);
        this.replaced = new ReplacedTables(flow, target, epoch);
        this.stop = stop;
        this.failpoints = failpoints;
    }

    /** Follows until stopped. */
    public void run() throws SQLException {
        awaitControlTopic();
        try (TopicTail tail = new TopicTail(
                        flow.migration(), flow.migration().topics().control());
                KafkaConsumer<byte[], byte[]> offsets = KafkaClients.consumer(flow.migration(), Map.of())) {
            List<LoadPlan> plans = new ArrayList<>();
            if (!stop.isRequested()) {
                tail.readAll(record -> addPlan(record, plans));
            }
            while (!stop.isRequested()) {
                List<LoadPlan> waiting = new ArrayList<>();
                for (LoadPlan plan : plans) {
                    if (!bringIn(plan, offsets)) {
                        waiting.add(plan);
                    }
                }
                plans.clear();
                plans.addAll(waiting);
                tail.poll(POLL).forEach(record -> addPlan(record, plans));
            }
        }
    }

    private void awaitControlTopic() {
        String topic = flow.migration().topics().control();
        try (Admin admin = KafkaClients.admin(flow.migration())) {
            while (!stop.isRequested() && !admin.listTopics().names().get().contains(topic)) {
                stop.await(POLL);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof KafkaException known ? known : new KafkaException(e.getCause());
        }
    }

    private void addPlan(ConsumerRecord<byte[], byte[]> record, List<LoadPlan> plans) {
        if (record.key() != null && LoadPlan.KEY.equals(new String(record.key(), StandardCharsets.UTF_8))) {
            LoadPlan plan = wanted.apply(Json.read(record, LoadPlan.class));
            plan.tables().forEach(table -> requireUsers(table.id()));
            plans.add(plan);
        }
    }

    // Rows of a catalog are rights: whoever writes to the control topic and the load topic would give himself a role.
    private static void requireUsers(TableId table) {
        String schema = table.schema();
        if (schema.startsWith("pg_") || schema.equals("information_schema") || schema.equals("wherry")) {
            throw new DataException(
                    "read load plan of",
                    table.toString(),
                    "the table is the server's or Wherry's own, and is never loaded",
                    "Check who else writes to the control topic");
        }
    }

    /** @return whether all of it is in; false while a table is missing on the target or its earlier chunks are not in */
    private boolean bringIn(LoadPlan plan, KafkaConsumer<byte[], byte[]> offsets) throws SQLException {
        checkpoints.holdCurrent();
        replaced.remove(plan);
        boolean complete = true;
        List<TopicPartition> first = new ArrayList<>();
        List<TopicPartition> again = new ArrayList<>();
        for (LoadPlan.Table table : plan.tables()) {
            int known = relations.knownEpoch(table.id());
            if (known < plan.epoch() && !TargetCatalog.exists(target, table.id())) {
                complete = false;
                if (missing.add(table.id())) {
                    LOG.warn("{} is new on the source and missing on the target; its load waits for it", table.id());
                }
            } else if (known < plan.epoch() && replaced.waits(table.id())) {
                complete = false;
            } else if (known < plan.epoch() && table.resumed() == null) {
                bringIn(plan, table, known > 0);
                boolean read = known > 0 || plan.epoch() > 1 && TopicIds.isKnown(target, table.topic());
                (read ? again : first).addAll(partitions(table.topic(), table.partitions()));
            } else if (known < plan.epoch()) {
                complete &= resume(plan, table, known, offsets);
            }
        }
        String load = flow.migration().topics().load();
        // What the consumer remembers of a topic may be from before somebody added partitions to it.
        int lanes =
                plan.lanes() > 0 ? plan.lanes() : offsets.partitionsFor(load).size();
        if (lanes == 0) {
            throw new RetryableException("find topic", load, "the broker does not know it yet", "");
        }
        first.addAll(partitions(load, lanes));
        // For all tables at once: asking the broker for each of thousands would take minutes.
        plannedCheckpoints.first(first, offsets);
        plannedCheckpoints.setBack(again, offsets);
        replaced.writeEvents();
        failpoints.before(Effect.PLAN_APPLIED);
        target.commit();
        failpoints.after(Effect.PLAN_APPLIED);
        return complete;
    }

    /** @return whether it could be brought in */
    private boolean resume(LoadPlan plan, LoadPlan.Table table, int known, KafkaConsumer<byte[], byte[]> offsets)
            throws SQLException {
        Savepoint before = target.setSavepoint();
        try {
            if (known < table.resumed().epoch()
                    || TableStates.isStopped(target, table.id())
                    || !resumedLoad.ready(plan, table)) {
                return false;
            }
            resumedLoad.begin(plan, table);
            relations.put(plan, table);
            relations.forgetChunks(plan, table);
            plannedCheckpoints.first(partitions(table.topic(), table.partitions()), offsets);
            return true;
        } catch (SQLException | DataException e) {
            WherryException failure =
                    Failures.explain("continue the load of", table.id().toString(), e);
            if (!(failure instanceof DataException)) {
                throw failure;
            }
            LOG.error("Load of {} is stopped: {}", table.id(), failure.explained(), failure);
            target.rollback(before);
            TableStates.stop(target, table.id(), known, failure.explained(), checkpoints.epoch());
            return false;
        }
    }

    private void bringIn(LoadPlan plan, LoadPlan.Table table, boolean again) throws SQLException {
        LOG.info(
                "Load {} of {}: {} chunks, snapshot {}{}",
                plan.epoch(),
                table.id(),
                table.chunks(),
                plan.snapshotLsn(),
                again ? "; rows of the earlier load are removed" : "");
        if (again) {
            new TableWriter(target).truncate(table.id());
            relations.forgetChunks(plan, table);
        }
        relations.put(plan, table);
    }

    private static List<TopicPartition> partitions(String topic, int count) {
        return IntStream.range(0, count)
                .mapToObj(partition -> new TopicPartition(topic, partition))
                .toList();
    }
}
