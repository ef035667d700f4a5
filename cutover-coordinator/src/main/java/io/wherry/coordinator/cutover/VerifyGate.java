package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.cutover.WindowForecast.Size;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.sql.LockLimit;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** Foresees the comparison in the window, so that applications are not kept out for a cutover that would only be aborted. */
public record VerifyGate(Flow flow, Prover prover) {
    private static final Duration LOCK = Duration.ofSeconds(2);

    /** Why a cutover should not begin now, one line each with its remedy; empty = it may begin. */
    public List<String> obstacles() throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "cutover")) {
            return obstacles(forecast(source));
        } catch (RetryableException e) {
            return List.of(e.explained());
        }
    }

    /** Lines of a dry run. */
    List<String> planned(WindowForecast forecast, Set<Force> forced) {
        return obstacles(forecast).stream()
                .map(line -> forced.contains(Force.VERIFY) ? Force.VERIFY.overrides(line) : "OBSTACLE: " + line)
                .toList();
    }

    private List<String> obstacles(WindowForecast forecast) {
        return forecast.obstacles(
                flow.migration().cutover().maxDowntime(),
                flow.migration().verify().maxAge());
    }

    /**
     * What the window would compare now. The sizes are read again: the proof knows those of its beginning.
     *
     * @throws RetryableException when another session has locked a table of the source
     */
    WindowForecast forecast(Connection source) throws SQLException {
        List<Size> sizes = tables(source).stream()
                .filter(table -> flow.migration().tables().follows(table.id()))
                .map(table -> new Size(table.id(), table.rowsEstimated(), table.bytes()))
                .toList();
        return prover.status()
                .map(proof -> WindowForecast.of(
                        sizes, proof, flow.migration().verify().wholeWithin()))
                .orElseGet(() -> WindowForecast.of(sizes, noProof()));
    }

    /** The coordinator's thread asks, so it must not wait for a lock. */
    private List<CatalogTable> tables(Connection source) throws SQLException {
        try {
            return LockLimit.within(LOCK, () -> SelectedTables.read(source, flow.migration()), source);
        } catch (SQLException e) {
            if (!LockLimit.reached(e)) {
                throw e;
            }
            throw new RetryableException(
                    "read",
                    "the sizes of the source's tables",
                    "another session has locked a table",
                    "Wait until its transaction has ended; SELECT pid, relation::regclass FROM pg_locks WHERE mode ="
                            + " 'AccessExclusiveLock' on the source names both",
                    e);
        }
    }

    private String noProof() {
        if (!flow.migration().verify().witness()) {
            return "verify.witness is off";
        }
        return prover.problem().isEmpty() ? "the proof has not begun" : prover.problem();
    }
}
