package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.name.TableNames;
import io.wherry.coordinator.proof.Prover.Wanted;
import io.wherry.coordinator.watch.Progress;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** What the operator may see of the proof and ask of it. Safe for use by several threads. */
public final class ProofControl {
    private static final String DIRECTLY = "wherry verify -f compares every row now";

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
        requireWanted("status");
        boolean stopped = prover.requests().stopped();
        Optional<ProofStatus> status = prover.status();
        return status.isPresent()
                ? ProofReport.of(status.get(), stopped, pauses(stopped))
                : ProofReport.none(stopped, absent());
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
        Set<TableId> known = new TreeSet<>(progress.wanted().keySet());
        known.removeIf(table -> !flow.migration().tables().follows(table));
        Set<TableId> meant = TableNames.find(tables, known);
        prover.requests().again(meant);
        return meant;
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
