package io.wherry.source;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Brings a decoder to the Debezium task that needs it. Debezium makes connector and task from class names and gives them
 * nothing but strings, so the decoder waits here under the engine's name (its {@code topic.prefix}, unique for each start)
 * until the task fetches it. The only static state of this module.
 */
final class Handover {
    private static final Map<String, RowDecoder> DECODERS = new ConcurrentHashMap<>();

    private Handover() {}

    static void offer(String engine, RowDecoder decoder) {
        DECODERS.put(engine, decoder);
    }

    /** @throws IllegalStateException when nothing was offered, which would be a defect */
    static RowDecoder fetch(String engine) {
        RowDecoder decoder = DECODERS.get(engine);
        if (decoder == null) {
            throw new IllegalStateException("no decoder waits for engine " + engine);
        }
        return decoder;
    }

    static void withdraw(String engine) {
        DECODERS.remove(engine);
    }
}
