package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.StuckException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.SwitchDecided;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Service;
import io.wherry.contract.service.Turns;
import io.wherry.source.check.SourcePreflight;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.load.BlockBudget;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.server.FullIdentities;
import io.wherry.source.server.TableLocks;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Captures load and changes of the source into Kafka. Has no state of its own: what it needs to continue after a kill is in the slot
 * and in Kafka. Of several instances of one migration, one acts and the others wait. Once a cutover has switched to the target, each
 * instance ends and captures nothing more.
 */
public final class SourceConnector implements Service {
    private static final Logger LOG = LoggerFactory.getLogger(SourceConnector.class);
    /** Most bytes of load blocks handed to Kafka and not yet acknowledged. */
    private static final long BUDGET_BYTES = 48L << 20;

    private final CaptureGroup group;
    private final Failpoints failpoints = Failpoints.armed();
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private final CaptureCounts counts = new CaptureCounts();
    private final BlockBudget budget = new BlockBudget(BUDGET_BYTES);
    private final AtomicReference<Capture> capture = new AtomicReference<>();
    private final Turns turns = new Turns("source-connector", System.nanoTime());
    private final Thread thread = new Thread(this::run, "wherry-source");
    private volatile boolean closing;

    public SourceConnector(CaptureGroup group) {
        this.group = group;
    }

    /**
     * @throws ConfigurationException with every error that the preflight finds; then nothing was changed. For a migration that has
     *     started, findings about single tables are no errors
     */
    @Override
    public void start() {
        List<Finding> errors = errors(SourcePreflight.check(group));
        Optional<ControlLog> memory = errors.isEmpty() ? Optional.empty() : memory();
        if (memory.isPresent() && memory.get().switched().isPresent()) {
            // Without the preflight: after the switch, the state of the source does not matter.
            new Thread(this::endSwitched, "wherry-source").start();
            return;
        }
        if (memory.isPresent() && !memory.get().plans().isEmpty()) {
            errors.forEach(error -> LOG.warn("{}", error.explained()));
            errors = errors(SourcePreflight.checkStarted(group));
        }
        if (!errors.isEmpty()) {
            throw new ConfigurationException(errors);
        }
        thread.start();
    }

    private static List<Finding> errors(List<Finding> findings) {
        return findings.stream()
                .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                .toList();
    }

    /** The content of the control topic; empty before the first start. */
    private Optional<ControlLog> memory() {
        return KafkaTopics.exists(group.migration(), group.migration().topics().control())
                ? Optional.of(ControlTopic.read(group.migration()))
                : Optional.empty();
    }

    private void endSwitched() {
        LOG.info("{}", SwitchDecided.ends("source-connector", "captured", group.flow()));
        try (Connection source = Sessions.open(group.migration(), group.from(), "restore")) {
            FullIdentities.restore(source, group, new TableLocks(), this::turnAndClosing);
        } catch (SQLException | WherryException e) {
            LOG.warn(
                    "could not restore replica identities on the source; wherry status shows how to: {}",
                    e.getMessage());
        }
        done.complete(null);
    }

    @Override
    public CompletionStage<Void> done() {
        return done;
    }

    @Override
    public Optional<String> hangs() {
        return turns.hangs(System.nanoTime());
    }

    /** Whether the service is being closed. A thread that waits asks this again and again, so each question counts as a turn. */
    private boolean turnAndClosing() {
        turns.made(System.nanoTime());
        return closing;
    }

    /** Most bytes of load blocks handed to Kafka and not yet acknowledged, at any time since the process started. */
    public long blockBytesPeak() {
        return budget.peak();
    }

    private void run() {
        Backoff backoff = new Backoff(this::turnAndClosing);
        try {
            boolean switched = false;
            while (!turnAndClosing() && !switched) {
                long began = System.nanoTime();
                try {
                    switched = act();
                } catch (RetryableException | FencedException e) {
                    // Fenced: another instance acts. Then this instance has lost the lock, and waits as a standby.
                    switched = !closing && ControlTopic.hasSwitched(group.migration());
                    if (!closing && !switched) {
                        LOG.warn("{}; starting again", e.explained());
                        backoff.pause(began);
                    }
                }
            }
            if (switched) {
                endSwitched();
            }
            done.complete(null);
        } catch (WherryException e) {
            end(e);
        } catch (RuntimeException e) {
            end(KafkaFailures.explain("capture", e));
        }
    }

    private void end(WherryException failure) {
        if (closing && !(failure instanceof StuckException)) {
            done.complete(null);
        } else {
            // The caller reports the failure; here it would be reported twice.
            LOG.debug("The source-connector ends", failure);
            done.completeExceptionally(failure);
        }
    }

    /** @return true when a cutover has switched to the target; false when closed */
    private boolean act() {
        try (InstanceLock lock = InstanceLock.acquire(group, this::turnAndClosing)) {
            if (lock == null) {
                return false;
            }
            Capture acting = new Capture(group, lock, counts, budget, turns, failpoints);
            try {
                capture.set(acting);
                if (!closing) {
                    acting.run();
                }
                return acting.isSwitched();
            } finally {
                capture.set(null);
                // If the term does not end, that is the failure that counts: the next term must not start beside it.
                acting.close();
            }
        } catch (SQLException e) {
            throw new RetryableException(
                    "reach", "the source", e.getMessage(), "Check that the source is reachable", e);
        }
    }

    @Override
    public void close() {
        closing = true;
        try {
            Capture acting = capture.get();
            if (acting != null) {
                acting.close();
            }
            // The thread may sleep between two attempts, or wait for transactions while it creates a slot.
            thread.interrupt();
            Ends.await("source-connector", List.of(thread), Ends.LIMIT);
            done.complete(null);
        } catch (StuckException e) {
            LOG.error("{}", e.explained());
            done.completeExceptionally(e);
        }
    }
}
