package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaEvent.Kind;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Another target from the topics alone: the first target's schema as the control topic has it, load and changes by the sink-applier's
 * own code up to one source commit, then what waits for the end. It reads Kafka and writes to the new target only. All its state is on
 * that target, so that a run that was killed is continued by the same command.
 */
public final class Rebuild {
    /** Begins the purpose of each session but the one with the lock. */
    static final String PURPOSE = "rebuild ";

    private static final int LOCK_SECONDS = 15;
    private static final String LOADED =
            "SELECT coalesce(sum(c.rows), 0) FROM wherry.chunk c JOIN wherry.relation r USING (schema_name, table_name, load_epoch)";
    private static final String APPLIED =
            "SELECT coalesce(sum(inserts + updates + deletes + truncates), 0) FROM wherry.relation";

    private final Flow flow;
    private final SchemaRegistry registry;
    private final Wanted wanted;
    private final Consumer<Progress> progress;
    private final Consumer<String> step;
    private final Failpoints failpoints = Failpoints.armed();

    /**
     * @param migration with broker and registry filled in
     * @param wanted what is asked for
     * @param progress gets how far load and changes are, several times a second
     * @param step gets what is done otherwise
     */
    public Rebuild(Migration migration, Wanted wanted, Consumer<Progress> progress, Consumer<String> step) {
        this.flow = new Flow(migration, Flow.FIRST_GENERATION, migration.source(), wanted.target());
        this.registry = new ConfluentRegistry(migration);
        this.wanted = wanted;
        this.progress = progress;
        this.step = step;
    }

    /**
     * Makes the database, or continues to.
     *
     * @throws Refusal when the topics cannot make it, or the target cannot take it; nothing was written
     * @throws WherryException when it fails; the same call continues
     */
    public Result run() throws Refusal, SQLException, InterruptedException {
        try (Connection lock = Sessions.openLock(flow.migration(), flow.to(), PURPOSE.strip())) {
            take(lock);
            Sessions.endOthers(lock, flow.migration(), PURPOSE);
            Optional<Goal> begun = Store.goal(lock);
            if (begun.isPresent()) {
                requireSame(begun.get());
                if (Store.isDone(lock)) {
                    return result(lock, begun.get(), true, List.of());
                }
            }
            Goal goal = begun.isPresent() ? begun.get() : prepare(lock);
            new Applying(flow, registry, goal, failpoints, progress).run(lock);
            List<String> missing = new ArrayList<>(new Finish(flow, goal, failpoints, step).run());
            return result(lock, goal, false, missing);
        }
    }

    private Goal prepare(Connection lock) throws Refusal, SQLException {
        step.accept("reading the control topic");
        History all = History.read(flow.migration());
        History history = wanted.only().isEmpty() ? all : all.only(wanted.only());
        Goal goal = wanted.until() == null
                ? Goals.now(flow.migration(), history)
                : Goals.at(flow.migration(), registry, history, wanted.until());
        new Checks(flow, goal, all.tables().keySet())
                .require(lock, registry, history.schema().topics());
        step.accept("making the tables");
        failpoints.before(Effect.PLAN);
        new Preparation(flow, goal).run(events(history, goal));
        failpoints.after(Effect.PLAN);
        return goal;
    }

    /** Without what was altered after the goal. Tables that were made after an earlier moment have been refused. */
    private static List<SchemaEvent> events(History history, Goal goal) {
        return history.schema().events().stream()
                .filter(event -> event.kind() != Kind.FOLLOWED && event.kind() != Kind.DEFERRED
                        || !event.asOf().isAfter(goal.until()))
                .toList();
    }

    /** A killed predecessor's session may live for a moment. */
    private void take(Connection lock) throws Refusal, SQLException, InterruptedException {
        for (int second = 0; !Term.LOCK.take(lock); second++) {
            if (second == LOCK_SECONDS) {
                throw new Refusal(
                        "target " + flow.to(),
                        "another rebuild or a coordinator works on this database",
                        "Wait for its end, or name a database of its own");
            }
            TimeUnit.SECONDS.sleep(1);
        }
    }

    private void requireSame(Goal begun) throws Refusal {
        if (!begun.migration().equals(flow.migration().name())) {
            throw new Refusal(
                    "target " + flow.to(),
                    "is a rebuild of another migration, " + begun.migration(),
                    "Name an empty database of its own");
        }
        if (!names(wanted.only()).equals(names(begun.only()))) {
            throw new Refusal(
                    "target " + flow.to(),
                    begun.isPart()
                            ? "is a rebuild of other tables, " + String.join(",", begun.only())
                            : "is a rebuild of all tables",
                    "Name an empty database of its own, or continue with the same --tables");
        }
        if (wanted.until() != null && !wanted.until().equals(begun.asked())) {
            throw new Refusal(
                    "target " + flow.to(),
                    "is a rebuild as of another moment, "
                            + (begun.asked() == null ? "commit " + begun.until() : begun.asked()),
                    "Name an empty database of its own, or continue with the same --until");
        }
    }

    /** In any order and grouping. */
    private static Set<String> names(List<String> given) {
        return new HashSet<>(Arrays.asList(String.join(",", given).split(",", -1)));
    }

    private static Result result(Connection lock, Goal goal, boolean already, List<String> missing)
            throws SQLException {
        List<String> all = new ArrayList<>(missing);
        LastSeen seen = goal.lastSeen();
        if (seen != null && seen.largeObjects()) {
            all.add("large objects: the topics do not hold them");
        }
        if (seen != null) {
            seen.extensionTables()
                    .forEach(table ->
                            all.add("rows of " + table + ", a table of an extension: the topics do not hold them"));
        }
        return new Result(
                already,
                goal.until(),
                goal.untilMillis(),
                goal.tables().size(),
                Queries.number(lock, LOADED),
                Queries.number(lock, APPLIED),
                all,
                Store.leftOut(lock));
    }
}
