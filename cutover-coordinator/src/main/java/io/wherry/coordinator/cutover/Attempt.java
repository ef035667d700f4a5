package io.wherry.coordinator.cutover;

import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.fence.FenceKeeper;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.sql.Window;
import java.sql.SQLException;

/**
 * What the steps of one cutover know: the journal, and the results that one step leaves for the next. The coordinator's thread
 * enters a state; then only the thread of that state's steps uses the attempt, until that thread ends.
 */
public final class Attempt {
    private final CutoverActs acts;
    private final Window window;
    private Journal journal;
    private long row;
    private volatile Decision decision;
    private volatile DataComparison comparison;
    private boolean marked;
    private volatile WindowSessions sessions;

    /** @param window null for a cutover that another process started */
    Attempt(CutoverActs acts, Window window) {
        this.acts = acts;
        this.window = window;
    }

    /** Starts a state: the steps act for the journal's last row. */
    void enter(Journal now) {
        journal = now;
        row = now.last().id();
    }

    CutoverActs acts() {
        return acts;
    }

    Window window() {
        return window;
    }

    /** Opens what the window reads with; before the fence. */
    void openSessions() throws SQLException {
        sessions = acts.sessions(window);
    }

    WindowSessions sessions() {
        return sessions;
    }

    /** Ends the sessions of the window, whatever these do. May be called any number of times, by any thread. */
    void end() {
        WindowSessions opened = sessions;
        if (opened != null) {
            opened.close();
        }
    }

    Journal journal() {
        return journal;
    }

    /** Checks that this coordinator may still act for the row that was entered. */
    FenceKeeper.Claim claim() {
        return acts.claim(row);
    }

    /** Whether the row that was entered has a successor, which the steps have written themselves. */
    boolean hasMovedOn() {
        return journal.last().id() != row;
    }

    Decision decision() {
        return decision;
    }

    void decide(Decision made) {
        decision = made;
    }

    DataComparison comparison() {
        return comparison;
    }

    void compared(DataComparison found) {
        comparison = found;
    }

    /** Whether Kafka has the record of the switch. */
    boolean marked() {
        return marked;
    }

    void marked(boolean now) {
        marked = now;
    }

    Fence.Plan fence() {
        return fencePlan(journal);
    }

    /** The fence of the last cutover. */
    public static Fence.Plan fencePlan(Journal journal) {
        return Json.mapper()
                .convertValue(
                        journal.latest(State.FENCING).orElseThrow().detail().get("fence"), Fence.Plan.class);
    }

    Lsn fenceLsn() {
        return Lsn.parse(journal.latest(State.DRAINING)
                .orElseThrow()
                .detail()
                .get("fenceLsn")
                .asText());
    }

    CutoverMark mark(boolean switched) {
        Journal.Row fencing = journal.latest(State.FENCING).orElseThrow();
        String begun = journal.rows().get(0).at().toString();
        return new CutoverMark(
                fencing.generation(), begun, fencing.id(), fencing.at().toString(), switched, fence());
    }
}
