package io.wherry.contract.service;

import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** One of the three services. Constructed idle, started once, closed once; safe against {@code kill -9} at any instant. */
public interface Service extends AutoCloseable {
    /**
     * Starts to work on its own threads and returns.
     *
     * @throws WherryException when it cannot start; nothing was changed if it is a {@code ConfigurationException}
     */
    void start();

    /**
     * Ends normally when the work is done or closed, exceptionally with the {@code WherryException} that stopped it. After a {@link
     * StuckException} the process must end and be started again.
     */
    CompletionStage<Void> done();

    /** Why only a restart of this process would help, as text for people; empty = the service's own thread works. */
    Optional<String> hangs();

    /**
     * Stops and waits until every thread and connection has ended, for two minutes at most. What still runs after that ends only
     * with the process. Never throws.
     */
    @Override
    void close();
}
