package io.wherry.coordinator.machine;

import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.Command;
import io.wherry.coordinator.watch.Observation.StepEnded;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** The queue in front of the coordinator's thread. Safe for use by several threads. */
final class Inbox {
    private static final long PATIENCE_MILLIS = 5_000;

    private final BlockingQueue<Observation> queue = new LinkedBlockingQueue<>();

    void add(Observation observation) {
        queue.add(observation);
    }

    /**
     * Asks for something to be done on the coordinator's thread.
     *
     * @param refuse gets the reason when no coordinator of this process can act
     */
    void ask(Command.Action action, Consumer<String> refuse) {
        add(new Command(action, refuse, MonotonicClock.millis()));
    }

    /** The next observation; waits at most that long. Null = there is none. */
    Observation await(long millis) throws InterruptedException {
        return queue.poll(millis, TimeUnit.MILLISECONDS);
    }

    /** The next observation, null = there is none. */
    Observation next() {
        return queue.poll();
    }

    /** Refuses commands that have waited for some seconds: a standby coordinator may stand by for days. */
    void refuseOldCommands(String why) {
        long now = MonotonicClock.millis();
        queue.removeIf(observation -> {
            boolean waits = observation instanceof Command command && now - command.sinceMillis() > PATIENCE_MILLIS;
            if (waits) {
                ((Command) observation).refuse().accept(why);
            }
            return waits;
        });
    }

    /** Drops the ends of steps: their cutover is forgotten. */
    void dropEndsOfSteps() {
        queue.removeIf(StepEnded.class::isInstance);
    }
}
