package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.Position;
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
import java.util.function.BooleanSupplier;

/**
 * Another target from the topics alone: the first target's schema as the control topic has it, load and changes by the sink-applier's
 * own code up to one source commit, then what waits for the end. It reads Kafka and writes to the new target only. All its state is on
 * that target, so that a run that was killed is continued by the same command.
 */
public final class Rebuild {
    /** Begins the purpose of each session but the one with the lock. */
    static final String PURPOSE = "rebuild ";

    private static final int LOCK_SECONDS = 15;
    private static final long POSITION_NANOS = 60_000_000_000L;
    private static final String LOADED =
            "SELECT coalesce(sum(c.rows), 0) FROM wherry.chunk c JOIN wherry.relation r USING (schema_name, table_name, load_epoch)";
    private static final String LAST_APPLIED =
            "SELECT c.commit_lsn::text FROM wherry.checkpoint c ORDER BY c.commit_lsn DESC NULLS LAST LIMIT 1";
    private static final String APPLIED =
            "SELECT coalesce(sum(inserts + updates + deletes + truncates), 0) FROM wherry.relation";

    private final Flow flow;
    private final SchemaRegistry registry;
    private final Wanted wanted;
    private final Teller teller;
    private final Failpoints failpoints = Failpoints.armed();

    /** Gets what happens; the first two several times a second. */
    public interface Teller {
        void progress(Progress progress);

        void following(Following following);

        /** What is done otherwise. */
        void step(String text);
    }

    /**
     * @param migration with broker and registry filled in
     * @param wanted what is asked for
     * @param teller gets what happens
     */
    public Rebuild(Migration migration, Wanted wanted, Teller teller) {
        this.flow = new Flow(migration, Flow.FIRST_GENERATION, migration.source(), wanted.target());
        this.registry = new ConfluentRegistry(migration);
        this.wanted = wanted;
        this.teller = teller;
    }

    /**
     * Makes the database, or continues to.
     *
     * @throws Refusal when the topics cannot make it, or the target cannot take it; nothing was written
     * @throws WherryException when it fails; the same call continues
     */
    public Result run() throws Refusal, SQLException, InterruptedException {
        try (Connection lock = begin()) {
            Optional<Goal> begun = begun(lock);
            if (begun.isPresent() && Store.isDone(lock)) {
                return result(lock, begun.get(), true, List.of());
            }
            Goal goal = begun.isPresent() ? begun.get() : prepare(lock);
            if (goal.follow()) {
                goal = end(lock, goal);
            }
            new Applying(flow, registry, goal, failpoints, teller::progress).run(lock);
            List<String> missing = new ArrayList<>(new Finish(flow, goal, failpoints, teller::step).run());
            return result(lock, goal, false, missing);
        }
    }

    /**
     * Makes the database, or continues to, and keeps it up to date with the topics.
     *
     * @param asked whether to end that
     * @return how far the database is; the same call continues
     * @throws Refusal as {@link #run}
     * @throws WherryException when it fails; the same call continues
     */
    public Following follow(BooleanSupplier asked) throws Refusal, SQLException, InterruptedException {
        try (Connection lock = begin()) {
            Optional<Goal> begun = begun(lock);
            Goal goal = begun.isPresent() ? begun.get() : prepare(lock);
            return new Follow(flow, registry, goal, failpoints, teller::following)
                    .run(lock, now -> asked.getAsBoolean());
        }
    }

    private Connection begin() throws Refusal, SQLException, InterruptedException {
        Connection lock = Sessions.openLock(flow.migration(), flow.to(), PURPOSE.strip());
        try {
            take(lock);
            Sessions.endOthers(lock, flow.migration(), PURPOSE);
            return lock;
        } catch (Refusal | SQLException | InterruptedException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** The goal that the target has; empty = none yet. */
    private Optional<Goal> begun(Connection lock) throws Refusal, SQLException {
        Optional<Goal> begun = Store.goal(lock);
        if (begun.isPresent()) {
            requireSame(begun.get());
        }
        return begun;
    }

    /**
     * Ends following: every table is brought to one commit, as at the end of any other rebuild.
     *
     * <p>What was applied may be ahead of the position that a reader sees. Counterexample without the wait: the marker of a Kafka
     * transaction is in a change partition and not in the position topic yet. A row of commit X is applied, the end is decided
     * before X, and the other rows of X never come.
     */
    private Goal end(Connection lock, Goal begun) throws Refusal, SQLException, InterruptedException {
        teller.step("ending to follow the topics: every table is brought to one commit");
        while (true) {
            Lsn position = position();
            Following last = new Follow(flow, registry, begun, failpoints, teller::following)
                    .run(
                            lock,
                            now -> !now.stopped().isEmpty()
                                    || !position.isAfter(now.commitLsn())
                                            && now.waits().isEmpty());
            Standing.requireRunning(last.stopped());
            awaitPosition(Lsn.parse(Queries.string(lock, LAST_APPLIED).orElseThrow()));
            History all = History.read(flow.migration());
            History history = begun.isPart() ? all.only(begun.only(), begun.ids()) : all;
            Goal goal = Goals.now(flow.migration(), history, false);
            boolean whole = Store.schemaPlace(lock)
                            .equals(SchemaPlace.of(history.schema().events()))
                    && Standing.read(lock).tables().keySet().containsAll(goal.ids());
            if (whole) {
                new Checks(flow, goal, goal.ids())
                        .requireTopics(registry, history.schema().topics());
                try (Connection target = Sessions.openForScripts(flow.migration(), flow.to(), PURPOSE + "end")) {
                    target.setAutoCommit(false);
                    new Preparation(flow, goal).end(target, events(history, goal), begun.ids());
                    target.commit();
                }
                return goal;
            }
        }
    }

    private void awaitPosition(Lsn applied) throws InterruptedException {
        long began = System.nanoTime();
        while (applied.isAfter(position())) {
            if (System.nanoTime() - began > POSITION_NANOS) {
                throw new RetryableException(
                        "end",
                        "to follow the topics",
                        "commit " + applied + " is applied, and the position in Kafka has not passed it",
                        "Let the source-connector run for a moment, then give the command again");
            }
            Applying.pause();
        }
    }

    private Lsn position() {
        return Positions.last(Flow.first(flow.migration()).groups().get(0))
                .map(Position::commitLsn)
                .orElse(Lsn.ZERO);
    }

    private Goal prepare(Connection lock) throws Refusal, SQLException {
        teller.step("reading the control topic");
        History all = History.read(flow.migration());
        History history = wanted.only().isEmpty() ? all : all.only(wanted.only());
        Goal goal = wanted.until() == null
                ? Goals.now(flow.migration(), history, wanted.follow())
                : Goals.at(flow.migration(), registry, history, wanted.until());
        new Checks(flow, goal, all.tables().keySet())
                .require(lock, registry, history.schema().topics());
        teller.step("making the tables");
        failpoints.before(Effect.PLAN);
        new Preparation(flow, goal).run(events(history, goal));
        failpoints.after(Effect.PLAN);
        return goal;
    }

    /** Without what was altered after the goal. Tables that were made after an earlier moment have been refused. */
    private static List<SchemaEvent> events(History history, Goal goal) {
        return history.schema().events().stream()
                .filter(event -> goal.follow()
                        || event.kind() != Kind.FOLLOWED && event.kind() != Kind.DEFERRED
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
        if (wanted.follow() && !begun.follow()) {
            throw new Refusal(
                    "target " + flow.to(),
                    "is a rebuild that ends at commit " + begun.until() + ", and does not follow the topics",
                    "Name an empty database of its own, or leave out --follow");
        }
        if (wanted.until() != null && begun.follow()) {
            throw new Refusal(
                    "target " + flow.to(),
                    "follows the topics, so it may be past this moment",
                    "Name an empty database of its own, or leave out --until");
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
