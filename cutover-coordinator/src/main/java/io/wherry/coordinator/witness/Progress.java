package io.wherry.coordinator.witness;

import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Lsn;
import java.time.Duration;
import java.util.Optional;

/** How far the witness has read, and who waits for it. Safe for use by several threads. */
final class Progress {
    private static final long NANOS_OF_MILLI = 1_000_000;

    private Lsn position = Lsn.ZERO;
    /** The position before the last look at the publication. */
    private Lsn checked = Lsn.ZERO;

    private Lsn wanted = Lsn.ZERO;
    private String problem;
    private boolean closed;

    synchronized Lsn position() {
        return position;
    }

    synchronized Optional<String> problem() {
        return Optional.ofNullable(problem);
    }

    synchronized void begin(Lsn start) {
        position = start;
    }

    synchronized void reached(Lsn lsn) {
        if (lsn.isAfter(position)) {
            position = lsn;
            notifyAll();
        }
    }

    synchronized void checked(Lsn lsn) {
        checked = lsn;
        notifyAll();
    }

    /** Whether somebody waits for an LSN that the server has not sent yet. */
    synchronized boolean awaited() {
        return wanted.isAfter(position);
    }

    /** Whether somebody waits for a look at the publication. */
    synchronized boolean lookAwaited() {
        return wanted.isAfter(checked) && !wanted.isAfter(position);
    }

    synchronized boolean await(Lsn lsn, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        wanted = Lsn.max(wanted, lsn);
        notifyAll();
        while (lsn.isAfter(position) || lsn.isAfter(checked)) {
            long left = deadline - System.nanoTime();
            if (closed || problem != null || left <= 0) {
                return false;
            }
            wait(Math.max(1, left / NANOS_OF_MILLI));
        }
        // What was reached before the end of the witness stays true; what comes after is not seen any more.
        return problem == null;
    }

    /** Waits for the server's next message; {@link #close} and {@link #await} end the wait. */
    synchronized void pause(long millis) throws InterruptedException {
        if (!closed) {
            wait(millis);
        }
    }

    synchronized boolean closed() {
        return closed;
    }

    /** @throws RetryableException when the witness was closed */
    synchronized void requireOpen() {
        if (closed) {
            throw new RetryableException("start", "the witness", "closed meanwhile", "");
        }
    }

    /** The witness has ended by itself, unless it was closed. */
    synchronized void end(String why) {
        if (!closed) {
            problem = why;
        }
        notifyAll();
    }

    synchronized void close() {
        closed = true;
        notifyAll();
    }
}
