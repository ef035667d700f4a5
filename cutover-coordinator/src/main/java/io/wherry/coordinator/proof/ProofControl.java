package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.name.TableNames;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.proof.Prover.Wanted;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.repair.RepairSecrets;
import io.wherry.coordinator.watch.Progress;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the operator may see of the proof and ask of it. Safe for use by several threads. */
public final class ProofControl {
    private static final String DIRECTLY = "wherry verify -f compares every row now";

    private static final Logger LOG = LoggerFactory.getLogger(ProofControl.class);
    private static final int MESSAGES_SINCE = 14;
    private static final int KEY_CHARACTERS = 100;

    private final Flow flow;
    private final Progress progress;
    private final Prover prover;

    public ProofControl(Flow flow, Progress progress, Prover prover) {
        this.flow = flow;
        this.progress = progress;
        this.prover = prover;
    }

    /**
     * How far the proof is.
     *
     * @throws DataException when there will be no proof: none is configured, or the target serves
     */
    public ProofReport report() {
        return report(false);
    }

    /**
     * As {@link #report()}.
     *
     * @param values whether the values of the rows that differ are read from both sides and shown
     * @throws RetryableException when a side does not answer
     */
    public ProofReport report(boolean values) {
        requireWanted("status");
        boolean stopped = prover.requests().stopped();
        Optional<Proof> present = prover.proof();
        if (present.isEmpty()) {
            return ProofReport.none(stopped, absent());
        }
        Proof proof = present.get();
        ProofStatus status = proof.status();
        return ProofReport.of(
                status,
                proof.repairs().status(),
                values ? values(proof, status.differences()) : Map.of(),
                stopped,
                pauses(stopped));
    }

    private Map<Difference, List<ShownValues.Value>> values(Proof proof, List<Difference> differences) {
        try {
            return ShownValues.read(
                    flow, differences, difference -> proof.repairs().compared(difference.table()));
        } catch (SQLException e) {
            // Not the server's words, which may hold values.
            throw new RetryableException(
                    "verify status",
                    "",
                    "the values cannot be read, SQLSTATE " + e.getSQLState(),
                    "Ask again, or without values");
        }
    }

    /**
     * Begins a new pass of these tables; a pass of them that runs begins again. What is proven stays proven meanwhile. Ends a stop.
     *
     * @param tables by name; none = all
     * @return the tables that the order concerns
     * @throws ConfigurationException when a table is unknown
     * @throws DataException when there is no proof, with the reason
     */
    public Set<TableId> start(List<String> tables) {
        requireWanted("start");
        if (prover.status().isEmpty()) {
            throw new DataException(
                    "verify start",
                    "",
                    "there is no proof yet: " + absent(),
                    "Ask again when wherry verify status shows tables; " + DIRECTLY);
        }
        Set<TableId> meant = meant(tables);
        prover.requests().again(meant);
        return meant;
    }

    private Set<TableId> meant(List<String> tables) {
        Set<TableId> known = new TreeSet<>(progress.wanted().keySet());
        known.removeIf(table -> !flow.migration().tables().follows(table));
        return TableNames.find(tables, known, "compared");
    }

    /**
     * Has the rows that differ sent again, as they are on the source, and rows that differed and have changed since.
     *
     * @param tables by name; none = all
     * @param dryRun only says what would be repaired
     * @throws ConfigurationException when a table is unknown
     * @throws DataException when nothing can be repaired now, with the reason
     * @throws RetryableException when the source or Kafka does not answer
     */
    public RepairOrder repair(List<String> tables, boolean dryRun) {
        requireWanted("repair");
        Proof proof = prover.proof()
                .orElseThrow(() -> refused("there is no proof yet: " + absent(), "Ask again when there is one"));
        Set<TableId> meant = meant(tables);
        if (prover.requests().stopped()) {
            throw refused("the proof is stopped", "wherry verify resume, then order the repair again");
        }
        if (prover.wanted() != Wanted.PROOF) {
            throw refused(
                    "a cutover is in progress, or the target is behind, or a table has stopped",
                    "See wherry status; order the repair when the proof continues");
        }
        RepairSecret secret = dryRun ? null : secret();
        List<Difference> standing = proof.repairs().suspected().stream()
                .filter(difference -> meant.contains(difference.table()))
                .toList();
        if (!dryRun) {
            List<Difference> rows = RepairOrder.repairable(standing);
            // Who holds the token orders; the keys say what.
            LOG.info(
                    "The operator orders the repair of {} rows: {}",
                    rows.size(),
                    rows.stream().map(ProofControl::shortly).collect(Collectors.joining(", ")));
            proof.repairs().order(rows, secret);
        }
        return RepairOrder.of(standing, dryRun);
    }

    private static String shortly(Difference row) {
        String key = row.keyText();
        return row.table() + " " + (key.length() > KEY_CHARACTERS ? key.substring(0, KEY_CHARACTERS) + "…" : key);
    }

    private RepairSecret secret() {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "repair")) {
            if (ServerVersion.major(source) < MESSAGES_SINCE) {
                throw refused(
                        "PostgreSQL before " + MESSAGES_SINCE + " does not send messages to a replication slot",
                        "wherry reload --table for each table that differs");
            }
            return RepairSecrets.of(flow.migration());
        } catch (SQLException e) {
            throw new RetryableException(
                    "verify repair", "", "the source: " + e.getMessage(), "Check that the source is reachable", e);
        }
    }

    private static DataException refused(String why, String remedy) {
        return new DataException("verify repair", "", why, remedy);
    }

    /**
     * Passes and rechecks pause until {@link #resume}, {@link #start} or the end of this process. The part that runs is compared
     * to its end. The witness continues to read.
     *
     * @throws DataException when there will be no proof
     */
    public void stop() {
        requireWanted("stop");
        prover.requests().stop();
    }

    /**
     * Passes and rechecks continue where they were stopped.
     *
     * @throws DataException when there will be no proof
     */
    public void resume() {
        requireWanted("resume");
        prover.requests().resume();
    }

    private void requireWanted(String action) {
        if (!flow.migration().verify().witness()) {
            throw new DataException(
                    "verify " + action,
                    "",
                    "verify.witness is off, so there is no proof",
                    "Set verify.witness: on and restart the coordinator; " + DIRECTLY);
        }
        if (prover.wanted() == Wanted.NOTHING) {
            throw new DataException(
                    "verify " + action,
                    "",
                    "there is no proof: the target serves, or this coordinator has just started or stands by",
                    "See wherry status; " + DIRECTLY);
        }
    }

    private String absent() {
        String problem = prover.problem();
        if (!problem.isEmpty()) {
            return problem;
        }
        return prover.wanted() == Wanted.PROOF
                ? "the witness starts"
                : "the rows are not loaded, or the target is behind";
    }

    private String pauses(boolean stopped) {
        if (stopped) {
            return "the operator: wherry verify resume";
        }
        return prover.wanted() == Wanted.PROOF ? "" : "the target, which is behind or is being cut over to";
    }
}
