package io.wherry.cli;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.service.Service;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/** All three services in one process. */
public final class Services implements Service {
    private static final int RESTORE_SECONDS = 30;

    private final CutoverCoordinator coordinator;
    private final SourceConnector source;
    private final List<Service> services;
    private final CompletableFuture<Void> done = new CompletableFuture<>();

    public Services(Migration migration, Path directory) {
        source = new SourceConnector(Flow.first(migration).groups().get(0));
        SinkApplier sink = new SinkApplier(Flow.first(migration));
        coordinator = new CutoverCoordinator(Flow.first(migration), directory, List.of(source, sink));
        services = List.of(coordinator, source, sink);
    }

    public CutoverCoordinator coordinator() {
        return coordinator;
    }

    /** Most bytes of load blocks held in memory at once by the source-connector. */
    public long blockBytesPeak() {
        return source.blockBytesPeak();
    }

    @Override
    public void start() {
        for (Service service : services) {
            service.start();
            // The first service that fails ends all: the others would wait for it without saying why.
            var unused = service.done().whenComplete((nothing, failure) -> {
                if (failure != null) {
                    done.completeExceptionally(unwrapped(failure));
                } else if (service == coordinator) {
                    doneAfterSource();
                }
            });
        }
    }

    /**
     * When the source-connector sees the switch, it restores the replica identities on the source. That may be after the
     * coordinator's end, so the process waits for it. But a lock of another session must not block the end of the process.
     */
    private void doneAfterSource() {
        var unused = source.done()
                .toCompletableFuture()
                .copy()
                .completeOnTimeout(null, RESTORE_SECONDS, TimeUnit.SECONDS)
                .whenComplete((nothing, failure) -> done.complete(null));
    }

    @Override
    public CompletionStage<Void> done() {
        return done;
    }

    @Override
    public Optional<String> hangs() {
        return coordinator.hangs();
    }

    @Override
    public void close() {
        for (int i = services.size() - 1; i >= 0; i--) {
            services.get(i).close();
        }
        done.complete(null);
    }

    /** Starts a service and waits for its end; Ctrl-C closes it in order. */
    public static void runUntilStopped(Service service) {
        Thread hook = new Thread(service::close, "wherry-shutdown");
        Runtime.getRuntime().addShutdownHook(hook);
        service.start();
        await(service);
    }

    /** Waits for the end. @throws WherryException that stopped it */
    public static void await(Service service) {
        try {
            service.done().toCompletableFuture().join();
        } catch (CompletionException e) {
            if (unwrapped(e) instanceof WherryException known) {
                throw known;
            }
            throw e;
        }
    }

    private static Throwable unwrapped(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }
}
