package io.wherry.coordinator.sql;

import io.wherry.contract.error.RetryableException;
import io.wherry.coordinator.thread.Threads;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** The time between fence and switch row: its limit, and the request to abort. Safe for use by several threads. */
public final class Window {
    private final long deadlineNanos;
    private final Duration allowed;
    private volatile String givenUp;
    private volatile String waitsFor = "";
    private final List<Runnable> endings = new ArrayList<>();
    private final List<Part> parts = new ArrayList<>();
    private final long openedNanos = System.nanoTime();
    private String stage = "";
    private String stageOfPart = "";
    private String waited = "";
    private long began;
    private boolean ended;

    /**
     * A part of the window that has ended.
     *
     * @param stage of the cutover, a state's name
     * @param name what the window waited for, as text for people
     * @param beganMillis since the window began, ms
     * @param millis how long it took, ms
     */
    public record Part(String stage, String name, double beganMillis, double millis) {
        @Override
        public String toString() {
            return name + " " + (long) millis + " ms";
        }
    }

    public Window(Duration allowed) {
        this.allowed = allowed;
        this.deadlineNanos = System.nanoTime() + allowed.toNanos();
    }

    /** Ends the window, on the operator's request or because the service stops. */
    public synchronized void giveUp(String reason) {
        givenUp = reason;
        notifyAll();
    }

    /** Why the window is over; null = it is not over. */
    public String endReason() {
        String reason = givenUp;
        if (reason == null && leftMillis() <= 0) {
            reason = "cutover.max-downtime (" + allowed.toMillis() + " ms) passed";
        }
        return reason == null || waitsFor.isEmpty() ? reason : reason + " while waiting for " + waitsFor;
    }

    /** What to do if the window ends before the work does. */
    public synchronized void atEnd(Runnable ending) {
        if (ended) {
            start(ending);
        }
        endings.add(ending);
    }

    /** Runs those actions, once, each on a thread of its own: one that hangs must not hold back the others. */
    public synchronized void end() {
        if (!ended) {
            ended = true;
            endings.forEach(Window::start);
        }
    }

    private static void start(Runnable ending) {
        Threads.named("wherry-cutover-end").newThread(ending).start();
    }

    /** Another stage of the cutover begins. @param name of its state */
    public synchronized void enters(String name) {
        stage = name;
    }

    /**
     * A part of the window begins, and the part before it has ended. The part that runs does not begin again.
     *
     * @param part what the window waits for from now on, as text for people; empty = nothing that counts
     */
    public synchronized void begins(String part) {
        if (part.equals(waited)) {
            return;
        }
        partEnds();
        waited = part;
        stageOfPart = stage;
        began = System.nanoTime();
        waitsFor = part;
    }

    /** The present part has ended, perhaps by a failure; what the window waited for stays on record for the failure's reason. */
    public synchronized void partEnds() {
        if (!waited.isEmpty()) {
            parts.add(new Part(stageOfPart, waited, (began - openedNanos) / 1e6, (System.nanoTime() - began) / 1e6));
        }
        waited = "";
    }

    /** The parts that have ended, in their order. */
    public synchronized List<Part> parts() {
        return List.copyOf(parts);
    }

    /** More about what the present part waits for, as text for people. */
    public void waitsFor(String what) {
        waitsFor = what;
    }

    public String waitsFor() {
        return waitsFor;
    }

    public long leftMillis() {
        return (deadlineNanos - System.nanoTime()) / 1_000_000;
    }

    /** @throws RetryableException when the window is over */
    public void check() {
        String reason = endReason();
        if (reason != null) {
            throw new RetryableException(
                    "cutover", "", reason, "The source serves as before. Fix the cause, then try again");
        }
    }

    /** Waits for a moment, then checks. */
    public void pause(long millis) throws InterruptedException {
        synchronized (this) {
            if (givenUp == null) {
                wait(millis);
            }
        }
        check();
    }
}
