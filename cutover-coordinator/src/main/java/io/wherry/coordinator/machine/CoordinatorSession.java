package io.wherry.coordinator.machine;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.watch.KnownTarget;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/**
 * The coordinator's own session on the target. The session holds the lock that lets one coordinator act at a time, and writes the
 * journal. Not safe for use by several threads.
 */
public final class CoordinatorSession implements AutoCloseable {
    private final Term term;
    private final Connection target;
    private final Journal journal;

    private CoordinatorSession(Term term, Connection target, Journal journal) {
        this.term = term;
        this.target = target;
        this.journal = journal;
    }

    /**
     * Takes the lock; the first time also brings the schema to the target. Empty while another coordinator holds the lock.
     *
     * @param term starts with the lock, and ends when this session is closed
     * @throws DataException when the target refuses a statement of the source's schema
     */
    public static Optional<CoordinatorSession> take(Flow flow, Term term, Failpoints failpoints) throws SQLException {
        Connection target = Sessions.openLock(flow.migration(), flow.to(), "coordinator");
        Optional<CoordinatorSession> control = Optional.empty();
        try {
            if (Term.LOCK.take(target)) {
                Sessions.endOthers(target, flow.migration(), Databases.CHANGES);
                if (Journal.read(target).isEmpty()) {
                    KnownTarget.requireMeant(flow, target);
                    failpoints.before(Effect.SCHEMA);
                    copySchema(flow);
                    failpoints.after(Effect.SCHEMA);
                }
                requireOwner(target, flow);
                Journal journal = Journal.read(target).orElseThrow().with(failpoints);
                term.begin(target);
                control = Optional.of(new CoordinatorSession(term, target, journal));
            }
            return control;
        } finally {
            if (control.isEmpty()) {
                target.close();
            }
        }
    }

    // Two coordinators that were started at the same time have both found an empty target; the second has waited
    // for the lock.
    private static void requireOwner(Connection target, Flow flow) throws SQLException {
        List<String> names = Queries.strings(target, "SELECT name FROM wherry.migration");
        if (!names.isEmpty() && !names.contains(flow.migration().name())) {
            throw new ConfigurationException(
                    "target",
                    "belongs to another migration, " + String.join(", ", names),
                    "Use a separate target database for each migration");
        }
    }

    private static void copySchema(Flow flow) throws SQLException {
        try {
            new SchemaCopy(flow, SchemaCopy.tools(flow)).run();
        } catch (SQLException e) {
            boolean passing = Sessions.state(e).matches("08.*|57.*|53.*|40.*");
            if (passing) {
                throw e;
            }
            throw new DataException(
                    "copy schema",
                    flow.to().toString(),
                    e.getMessage(),
                    "Nothing was changed. Make the target accept this statement, or create the tables yourself and use"
                            + " target.schema: existing",
                    e);
        }
    }

    Connection target() {
        return target;
    }

    public Journal journal() {
        return journal;
    }

    /** @throws SQLException when the session is lost, and the lock with it */
    public void requireTerm() throws SQLException {
        term.require(target);
    }

    @Override
    public void close() throws SQLException {
        term.end();
        target.close();
    }
}
