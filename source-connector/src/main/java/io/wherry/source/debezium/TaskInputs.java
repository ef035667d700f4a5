package io.wherry.source.debezium;

import io.wherry.contract.postgres.Timeline;
import io.wherry.source.decode.RowDecoder;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a Debezium task needs from Wherry. Debezium creates connector and task from the names of their classes and passes only
 * strings to them. So this object waits under the name of the engine (its {@code topic.prefix}, unique for each start) until the task
 * fetches it. The only static state of this module besides the number of starts.
 *
 * @param application application_name of the session that streams
 * @param timeline of the server that may send
 * @param pulse gets the time of each read of the stream, by {@link System#nanoTime}
 */
record TaskInputs(RowDecoder decoder, String application, Timeline timeline, AtomicLong pulse) {
    private static final Map<String, TaskInputs> WAITING = new ConcurrentHashMap<>();

    static void offer(String engine, TaskInputs handover) {
        WAITING.put(engine, handover);
    }

    /** @throws IllegalStateException when nothing was offered, which would be a defect */
    static TaskInputs fetch(String engine) {
        TaskInputs handover = WAITING.get(engine);
        if (handover == null) {
            throw new IllegalStateException("no decoder waits for engine " + engine);
        }
        return handover;
    }

    static void withdraw(String engine) {
        WAITING.remove(engine);
    }
}
