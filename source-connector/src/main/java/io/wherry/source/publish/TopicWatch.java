package io.wherry.source.publish;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.service.Interruption;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Checks, as long as a source-connector acts, that the topics keep their records. */
public final class TopicWatch {
    private static final Logger LOG = LoggerFactory.getLogger(TopicWatch.class);
    private static final long LOOK_MILLIS = 500;
    private static final long SHORTEST_MILLIS = TimeUnit.MINUTES.toMillis(1);
    /** Each check asks the broker for all settings of each topic. */
    private static final long MILLIS_A_TOPIC = 100;

    private TopicWatch() {}

    /** @param tables with a change topic; other threads may add tables */
    public static void run(Migration migration, Collection<TableId> tables, BooleanSupplier closing) {
        while (pause(Math.max(SHORTEST_MILLIS, tables.size() * MILLIS_A_TOPIC), closing)) {
            try {
                KafkaTopics.keepRecords(migration, List.copyOf(tables));
            } catch (RetryableException e) {
                LOG.debug("Cannot read the settings of the topics: {}", e.explained());
            }
        }
    }

    private static boolean pause(long millis, BooleanSupplier closing) {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        try {
            while (!closing.getAsBoolean() && System.nanoTime() - until < 0) {
                Thread.sleep(LOOK_MILLIS);
            }
        } catch (InterruptedException e) {
            throw Interruption.during("wait", e);
        }
        return !closing.getAsBoolean();
    }
}
