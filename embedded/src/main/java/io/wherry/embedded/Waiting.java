package io.wherry.embedded;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waits for a server to become ready. */
final class Waiting {
    private static final long INTERVAL_MILLIS = 50;

    private Waiting() {}

    /**
     * Returns when {@code ready} is true; it is checked every 50 ms.
     *
     * @throws ServerException when the server ends first or {@code limit} has passed; shows the end of its log
     */
    static void until(Duration limit, Child server, BooleanSupplier ready) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (!ready.getAsBoolean()) {
            server.requireAlive();
            if (System.nanoTime() > deadline) {
                server.kill();
                throw new ServerException(server.name() + " was not ready within " + limit.toSeconds()
                        + " s; the end of its log, " + server.log() + ":\n" + Directories.tail(server.log()));
            }
            try {
                Thread.sleep(INTERVAL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ServerException("Interrupted while waiting for " + server.name(), e);
            }
        }
    }
}
