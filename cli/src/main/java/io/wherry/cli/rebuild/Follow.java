package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.sql.Queries;
import io.wherry.sink.SinkApplier;
import io.wherry.sink.state.TableState;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Keeps a rebuilt database up to date with the topics: load and changes by the sink-applier's own code without an end, and the schema
 * as the control topic tells it.
 */
final class Follow {
    private final Flow flow;
    private final SchemaRegistry registry;
    private final Goal goal;
    private final Failpoints failpoints;
    private final Consumer<Following> shown;

    /** @param shown gets how far it is, several times a second */
    Follow(Flow flow, SchemaRegistry registry, Goal goal, Failpoints failpoints, Consumer<Following> shown) {
        this.flow = flow;
        this.registry = registry;
        this.goal = goal;
        this.failpoints = failpoints;
        this.shown = shown;
    }

    /**
     * Follows until it is told to end; then no session of it writes any more.
     *
     * @param lock session that holds the lock of the rebuild
     * @param ends asked with each look, after what was known at that look
     * @return how far it was at the last look
     */
    Following run(Connection lock, Ending ends) throws SQLException, InterruptedException {
        Queries.execute(lock, "UPDATE wherry.relation SET stopped_because = NULL WHERE stopped_because IS NOT NULL");
        SinkApplier sink = new SinkApplier(flow, registry, goal.following());
        try (FollowedSchema schema = new FollowedSchema(flow, goal)) {
            schema.requireSame(lock);
            sink.start();
            try (TableBuilds builds = new TableBuilds(flow, failpoints)) {
                Reached reached = new Reached(flow.migration());
                while (true) {
                    schema.bring(lock);
                    Standing standing = Standing.read(lock);
                    for (TableState table : standing.tables().values()) {
                        if (!table.ready() && standing.isLoaded(table)) {
                            builds.offer(table);
                        }
                    }
                    Following now =
                            following(standing, reached.look(standing, schema.tables()), waits(lock, schema, standing));
                    shown.accept(now);
                    if (ends.test(now)) {
                        return now;
                    }
                    Applying.requireRunning(sink);
                    Applying.pause();
                }
            }
        } finally {
            sink.close();
        }
    }

    private static List<String> waits(Connection lock, FollowedSchema schema, Standing standing) throws SQLException {
        List<String> waits = new ArrayList<>(schema.waits());
        for (TableId table : schema.tables().keySet()) {
            if (!standing.tables().containsKey(table) && !Preparation.exists(lock, table)) {
                waits.add("table " + table
                        + " is not in this database yet; with target.schema: existing, create it here");
            }
        }
        return waits;
    }

    /** Whether to end. */
    interface Ending {
        boolean test(Following now);
    }

    private static Following following(Standing standing, Reached.Place place, List<String> waits) {
        return new Following(
                place.commitLsn(),
                place.commitMillis() == 0 ? null : Math.max(0, System.currentTimeMillis() - place.commitMillis()),
                standing.tables().values().stream()
                        .filter(table -> table.ready() && standing.isLoaded(table))
                        .count(),
                standing.tables().size(),
                standing.stopped(),
                waits);
    }
}
