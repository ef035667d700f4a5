package io.wherry.bench;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.service.Service;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.ServerException;
import io.wherry.rehearsal.Waits;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;

/** The three services of one migration in this process, each of which may end and begin again. Used by one thread, but for {@link #close}. */
final class Pipeline implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofHours(2);
    private static final long POLL_MILLIS = 20;

    private final Flow flow;
    private final CutoverCoordinator coordinator;
    private SourceConnector source;
    private SinkApplier sink;
    private boolean closed;

    /** @param directory for the coordinator's token */
    Pipeline(Migration migration, Path directory) {
        flow = Flow.first(migration);
        coordinator = new CutoverCoordinator(flow, directory);
    }

    /** Starts all services, the capture last. */
    void start() {
        coordinator.start();
        startSink();
        startCapture();
    }

    void startCapture() {
        source = new SourceConnector(flow.groups().get(0));
        source.start();
    }

    void startSink() {
        sink = new SinkApplier(flow);
        sink.start();
    }

    /** Ends capture and sink; the coordinator continues. What is written from now on waits in the slot. */
    void stopStreaming() {
        source.close();
        source = null;
        sink.close();
        sink = null;
    }

    CutoverCoordinator coordinator() {
        return coordinator;
    }

    /** Waits until all rows are loaded and indexed. */
    void awaitLoaded() throws Exception {
        awaitState("loaded", state -> state == State.CATCHING_UP || state == State.IN_SYNC);
    }

    void awaitInSync() throws Exception {
        awaitState("in sync", state -> state == State.IN_SYNC);
    }

    private interface Reached {
        boolean by(State state);
    }

    private void awaitState(String what, Reached reached) throws Exception {
        Waits.until(what, LIMIT, POLL_MILLIS, () -> {
            requireRunning();
            return reached.by(coordinator.status().state());
        });
    }

    /** @throws ServerException when a service has ended with a failure */
    void requireRunning() throws InterruptedException {
        for (Service service : new Service[] {coordinator, source, sink}) {
            if (service != null && service.done().toCompletableFuture().isCompletedExceptionally()) {
                try {
                    service.done().toCompletableFuture().get();
                } catch (ExecutionException e) {
                    throw new ServerException("A service has ended: " + e.getCause(), e.getCause());
                }
            }
        }
    }

    @Override
    public synchronized void close() {
        // The servers' end calls this too, perhaps by Ctrl-C, when the services have ended already.
        if (closed) {
            return;
        }
        closed = true;
        if (sink != null) {
            sink.close();
        }
        if (source != null) {
            source.close();
        }
        coordinator.close();
    }
}
