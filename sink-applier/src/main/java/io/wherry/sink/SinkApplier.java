package io.wherry.sink;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.error.StuckException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TargetState;
import io.wherry.contract.record.SwitchDecided;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Service;
import io.wherry.contract.service.Turns;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.StopSignal;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Applies load and changes from Kafka to the target. All its state is in the target and changes in the same transactions as the
 * rows. So the process may be killed at any instant and continue anywhere. A second instance waits until the first has gone. Once
 * the switch row is committed on the target, each instance ends and applies nothing more.
 */
public final class SinkApplier implements Service {
    private static final Logger LOG = LoggerFactory.getLogger(SinkApplier.class);
    private static final Duration ASK_AGAIN = Duration.ofMillis(Sessions.LOCK_POLL_MILLIS);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

    private final Flow flow;
    private final SchemaRegistry registry;
    private final Assignment assignment;
    private final Failpoints failpoints = Failpoints.armed();
    private final StopSignal closing = new StopSignal();
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private final Turns turns = new Turns("sink-applier", System.nanoTime());
    private boolean connected;
    private final Thread supervisor = new Thread(this::supervise, "wherry-sink");

    /** @param flow with broker and registry filled in */
    public SinkApplier(Flow flow) {
        this(flow, new ConfluentRegistry(flow.migration()));
    }

    /** With the caller's registry. */
    public SinkApplier(Flow flow, SchemaRegistry registry) {
        this(flow, registry, Assignment.all(flow.migration()));
    }

    /** With an assignment that is not the migration's own. */
    public SinkApplier(Flow flow, SchemaRegistry registry, Assignment assignment) {
        this.flow = flow;
        this.registry = registry;
        this.assignment = assignment;
    }

    @Override
    public void start() {
        supervisor.start();
    }

    @Override
    public CompletionStage<Void> done() {
        return done.minimalCompletionStage();
    }

    @Override
    public Optional<String> hangs() {
        return turns.hangs(System.nanoTime());
    }

    @Override
    public void close() {
        closing.request();
        try {
            // Twice the limit: the supervisor itself waits up to one limit for the threads of its session.
            Ends.await("sink-applier", List.of(supervisor), Ends.LIMIT.multipliedBy(2));
            done.complete(null);
        } catch (StuckException e) {
            LOG.error("{}", e.explained());
            done.completeExceptionally(e);
        }
    }

    private void supervise() {
        Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
        boolean switched = false;
        while (!closing.isRequested() && !switched) {
            long begun = System.nanoTime();
            turns.made(begun);
            try {
                switched = applyUntilFailure();
            } catch (RetryableException | FencedException e) {
                // Fenced: another instance has the lock and applies. This instance waits for the lock.
                if (System.nanoTime() - begun > LONGEST_PAUSE.toNanos()) {
                    backoff.reset();
                }
                Duration pause = backoff.next();
                LOG.warn("{}", Sentence.of(e.explained(), "Trying again in " + pause.toMillis() + " ms"));
                LOG.debug("Cause of the retry", e);
                closing.await(pause);
            } catch (WherryException e) {
                // The caller that started the service logs why it ended. A second log line would only repeat that.
                LOG.debug("The sink-applier ends", e);
                done.completeExceptionally(e);
                return;
            }
        }
        done.complete(null);
    }

    /** @return true when the switch row is committed, so that nothing may be applied any more; false when closed */
    private boolean applyUntilFailure() {
        try (Connection lease = connect()) {
            if (awaitTurn(lease)) {
                Sessions.endOthers(lease, flow.migration(), WriterSessions.PURPOSE);
                TargetState.requireCurrent(lease);
                failpoints.before(Effect.TAKE_OVER);
                OptionalLong epoch = Lease.takeOver(lease, flow.generation());
                failpoints.after(Effect.TAKE_OVER);
                if (epoch.isEmpty()) {
                    return endSwitched();
                }
                LOG.info("Applying to {} as epoch {}", flow.to(), epoch.getAsLong());
                ApplySession session =
                        new ApplySession(flow, registry, assignment, lease, epoch.getAsLong(), failpoints);
                try {
                    session.run(closing, turns);
                } catch (FencedException e) {
                    // Fenced by the switch row, whose transaction raises the epoch, or by another sink-applier.
                    if (TargetState.isSwitched(lease, flow.generation())) {
                        return endSwitched();
                    }
                    throw e;
                } finally {
                    // A failure to end matters more than the failure before it: the next epoch must not start beside
                    // this session.
                    session.close();
                }
            }
            return false;
        } catch (SQLException | RuntimeException e) {
            throw Failures.explain("apply to", flow.to().toString(), e);
        }
    }

    private boolean endSwitched() {
        LOG.info("{}", SwitchDecided.ends("sink-applier", "applied", flow));
        return true;
    }

    private Connection connect() {
        try {
            Connection session = Sessions.openLock(flow.migration(), flow.to(), "sink");
            connected = true;
            return session;
        } catch (SQLException e) {
            // A login that has worked once may work again: an operator changes a password on one side first.
            throw connected
                    ? Failures.explain("log in to", flow.to().toString(), e)
                    : Failures.explainLogin(flow.to(), e);
        }
    }

    /** Waits until the coordinator has prepared the target and an earlier instance has gone; false when closed. */
    private boolean awaitTurn(Connection lease) throws SQLException {
        while (!Lease.isTargetPrepared(lease)) {
            turns.made(System.nanoTime());
            if (closing.await(ASK_AGAIN)) {
                return false;
            }
        }
        Lease.requireOurs(lease, assignment.owner());
        boolean reported = false;
        while (!Lease.tryLock(lease, flow.migration())) {
            turns.made(System.nanoTime());
            if (!reported) {
                LOG.info("Another sink-applier works on {}; this one waits until that one has ended", flow.to());
                reported = true;
            }
            if (closing.await(ASK_AGAIN)) {
                return false;
            }
        }
        return true;
    }
}
