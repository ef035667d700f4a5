package io.wherry.source;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.Order;
import io.wherry.contract.record.SwitchDecided;
import io.wherry.contract.service.Resources;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.load.FailedTables;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Follows what other writers add to the control topic during the term: the operator's orders, and the switch of a cutover. One thread
 * opens the topic, and another thread then follows it.
 */
final class OperatorOrders implements AutoCloseable {
    private final Migration migration;
    private final FailedTables failed;
    private final TermThreads threads;
    private volatile TopicTail tail;
    /** The operator retries failed tables. */
    private boolean retry;

    OperatorOrders(Migration migration, FailedTables failed, TermThreads threads) {
        this.migration = migration;
        this.failed = failed;
        this.threads = threads;
    }

    /** Opens the control topic. @return its content so far; {@link #follow} continues after it */
    ControlLog open() {
        tail = new TopicTail(migration, migration.topics().control());
        return ControlTopic.read(tail);
    }

    /**
     * Reads the records since the last call.
     *
     * @throws RetryableException when the operator ordered a re-load
     */
    void follow() {
        for (ConsumerRecord<byte[], byte[]> record : tail.poll(Duration.ZERO)) {
            String key = record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8);
            if (SwitchDecided.KEY.equals(key)) {
                threads.endBySwitch();
            }
            if (Order.KEY.equals(key)) {
                Order order = Json.read(record, Order.class);
                if (order.kind() == Order.Kind.RETRY) {
                    retry |= failed.retry(order);
                } else {
                    // The next term finds the order in the control topic, and the tables to load with it.
                    throw new RetryableException("capture", "", "the operator ordered a re-load", "");
                }
            }
        }
    }

    /** Whether the operator retries failed tables, and no load has started since the order. */
    boolean wantRetry() {
        return retry;
    }

    /** A load starts, which includes the tables of all orders so far. */
    void loadBegins() {
        retry = false;
    }

    @Override
    public void close() {
        Resources.closeQuietly(tail);
    }
}
