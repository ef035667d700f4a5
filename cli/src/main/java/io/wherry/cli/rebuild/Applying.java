package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.sql.Queries;
import io.wherry.sink.SinkApplier;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.Until;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.common.TopicPartition;

/** Load and changes, by the sink-applier's own code, until every table has come to the goal. */
final class Applying {
    private static final long LOOK_MILLIS = 200;

    private final Flow flow;
    private final SchemaRegistry registry;
    private final Goal goal;
    private final Failpoints failpoints;
    private final Consumer<Progress> shown;

    /** @param shown gets the progress, several times a second */
    Applying(Flow flow, SchemaRegistry registry, Goal goal, Failpoints failpoints, Consumer<Progress> shown) {
        this.failpoints = failpoints;
        this.flow = flow;
        this.registry = registry;
        this.goal = goal;
        this.shown = shown;
    }

    /**
     * Returns when every table is at the goal.
     *
     * @param target session that holds the lock of the rebuild
     * @throws WherryException when a table or the sink-applier cannot go on
     */
    void run(Connection target) throws SQLException, InterruptedException {
        // What stopped a table may have been removed since.
        Queries.execute(target, "UPDATE wherry.relation SET stopped_because = NULL WHERE stopped_because IS NOT NULL");
        Until until = Until.commit(goal.until());
        SinkApplier sink = new SinkApplier(flow, registry, goal.assignment(until));
        sink.start();
        try (TableBuilds builds = new TableBuilds(flow, failpoints)) {
            Map<TopicPartition, Long> vector = goal.vector();
            Progress progress = new Progress(goal, System.nanoTime());
            while (true) {
                Standing standing = Standing.read(target).requireRunning();
                for (TableState table : standing.tables().values()) {
                    if (!table.ready() && standing.isLoaded(table)) {
                        builds.offer(table);
                    }
                }
                long complete = goal.tables().stream()
                        .filter(table -> standing.isComplete(table, vector, until))
                        .count();
                progress = progress.at(standing, complete, System.nanoTime());
                shown.accept(progress);
                if (complete == goal.tables().size()) {
                    return;
                }
                requireRunning(sink);
                pause();
            }
        } finally {
            sink.close();
        }
    }

    static void pause() throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    }

    /** @throws WherryException when the sink-applier has ended */
    static void requireRunning(SinkApplier sink) {
        if (!sink.done().toCompletableFuture().isDone()) {
            return;
        }
        try {
            sink.done().toCompletableFuture().join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof WherryException known) {
                throw known;
            }
            throw e;
        }
        throw new RetryableException(
                "rebuild", "from the topics", "the sink-applier has ended", "Give the command again");
    }
}
