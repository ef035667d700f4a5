package io.wherry.coordinator.journal;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.postgres.TargetState;
import io.wherry.contract.record.Json;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.sql.Queries;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The state machine's memory, {@code wherry.journal} in the target. The state changes only here: the row is committed first, then
 * this object changes, then the caller acts. Not safe for use by several threads.
 */
public final class Journal {
    private static final String UNIQUE_VIOLATION = "23505";

    private final List<Row> rows;
    private final Failpoints failpoints;

    private Journal(List<Row> rows, Failpoints failpoints) {
        this.rows = new ArrayList<>(rows);
        this.failpoints = failpoints;
    }

    /** @param generation of the flow whose state this is */
    public record Row(long id, int generation, Instant at, State state, JsonNode detail) {}

    /**
     * A cutover that was aborted.
     *
     * @param at when, ISO 8601
     * @param step state that it was in
     */
    public record LastAbort(String at, State step, String reason) {}

    /**
     * Empty when the target holds no migration.
     *
     * @throws DataException when an earlier version of Wherry prepared the target
     */
    public static Optional<Journal> read(Connection target) throws SQLException {
        if (!Queries.truth(target, "SELECT pg_catalog.to_regclass('wherry.journal') IS NOT NULL")) {
            return Optional.empty();
        }
        TargetState.requireCurrent(target);
        List<Row> rows = Queries.list(
                target, Journal::row, "SELECT id, generation, at, state, detail::text FROM wherry.journal ORDER BY id");
        return rows.isEmpty() ? Optional.empty() : Optional.of(new Journal(rows, Failpoints.NONE));
    }

    /** The same journal, with failpoints around each new row. */
    public Journal with(Failpoints armed) {
        return new Journal(rows, armed);
    }

    /**
     * Writes the first row within the caller's transaction.
     *
     * @param generation of the flow that begins
     */
    public static void first(Connection target, int generation) throws SQLException {
        Queries.update(
                target,
                "INSERT INTO wherry.journal (id, generation, state) OVERRIDING SYSTEM VALUE VALUES (1, ?, ?)",
                generation,
                State.LOADING.name());
    }

    /** @throws FencedException when {@code id} is not the last row any more */
    public static void requireLast(Connection target, long id) throws SQLException {
        if (!Queries.truth(target, "SELECT max(id) = ? FROM wherry.journal", id)) {
            throw fenced("check", null);
        }
    }

    private static FencedException fenced(String operation, SQLException cause) {
        return new FencedException(
                operation,
                "journal",
                "another coordinator has taken over",
                "Stop this coordinator; one is enough",
                cause);
    }

    /** Reads the rows again from the target. */
    public void readAgain(Connection target) throws SQLException {
        Journal now = read(target).orElseThrow();
        rows.clear();
        rows.addAll(now.rows);
    }

    public State state() {
        return last().state();
    }

    public Row last() {
        return rows.get(rows.size() - 1);
    }

    public List<Row> rows() {
        return List.copyOf(rows);
    }

    /** The latest row of a state. */
    public Optional<Row> latest(State state) {
        return rows.stream().filter(r -> r.state() == state).reduce((a, b) -> b);
    }

    /** How the last cutover was aborted; empty when none was aborted, and once another has started. */
    public Optional<LastAbort> lastAbort() {
        for (int i = rows.size() - 1; i > 0; i--) {
            Row row = rows.get(i);
            if (row.state() == State.ABORTING) {
                return Optional.of(new LastAbort(
                        row.at().truncatedTo(ChronoUnit.SECONDS).toString(),
                        rows.get(i - 1).state(),
                        row.detail().path("reason").asText()));
            }
            if (row.state() == State.FENCING) {
                break;
            }
        }
        return Optional.empty();
    }

    /**
     * Moves to the next state. If the connection is within a transaction, this method commits the transaction, so the caller's
     * changes in it take effect together with the row.
     *
     * @throws DataException when the transition starts in another state; a defect
     * @throws FencedException when another coordinator has written since
     */
    public State advance(Connection target, Transition transition, Map<String, ?> detail) throws SQLException {
        if (transition.from() != state()) {
            throw new DataException(
                    "advance",
                    "journal",
                    transition + " does not start in state " + state(),
                    "Report this with the log");
        }
        State next = transition.to();
        Effect effect = Effect.valueOf(next.name());
        failpoints.before(effect);
        rows.add(insert(target, last().id() + 1, last().generation(), next, detail));
        failpoints.after(effect);
        return next;
    }

    // Compare and set: the row's number follows the last row that this process knows. A coordinator that was paused
    // (a stopped virtual machine) while another took over finds the number taken, and must stop.
    private static Row insert(Connection target, long id, int generation, State state, Map<String, ?> detail)
            throws SQLException {
        try {
            Row row = Queries.list(
                            target,
                            Journal::row,
                            "INSERT INTO wherry.journal (id, generation, state, detail) OVERRIDING SYSTEM VALUE"
                                    + " VALUES (?, ?, ?, ?::text::jsonb)"
                                    + " RETURNING id, generation, at, state, detail::text",
                            id,
                            generation,
                            state.name(),
                            new String(Json.write(detail), StandardCharsets.UTF_8))
                    .get(0);
            if (!target.getAutoCommit()) {
                target.commit();
            }
            return row;
        } catch (SQLException e) {
            if (UNIQUE_VIOLATION.equals(e.getSQLState())) {
                throw fenced("advance", e);
            }
            throw e;
        }
    }

    private static Row row(ResultSet row) throws SQLException {
        return new Row(
                row.getLong("id"),
                row.getInt("generation"),
                row.getTimestamp("at").toInstant(),
                State.valueOf(row.getString("state")),
                Json.read(row.getString("detail").getBytes(StandardCharsets.UTF_8), JsonNode.class));
    }
}
