package io.wherry.bench;

/** A measurement of ours beside that of a peer. */
public interface Bench {
    /**
     * Starts the servers, measures, and ends the servers.
     *
     * @throws Exception when a server or a service fails; then there are no figures
     */
    BenchReport run() throws Exception;
}
