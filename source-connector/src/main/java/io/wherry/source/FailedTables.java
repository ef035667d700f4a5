package io.wherry.source;

import io.wherry.contract.Order;
import io.wherry.contract.SourceStatus.FailedLoad;
import io.wherry.contract.TableId;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tables whose load was given up until the operator says to try again. Safe for use by several threads. */
final class FailedTables {
    private static final Logger LOG = LoggerFactory.getLogger(FailedTables.class);
    private static final long LOOK_MILLIS = 1000;

    private final Map<TableId, String> reasons = new TreeMap<>();

    synchronized void add(TableId table, String reason) {
        LOG.error("load of {} is given up: {}", table, reason);
        reasons.putIfAbsent(table, reason);
    }

    synchronized boolean contains(TableId table) {
        return reasons.containsKey(table);
    }

    synchronized void retry(Order order) {
        if (reasons.keySet().removeIf(order::means)) {
            LOG.info("loading {} again by order", order.table() == null ? "all that failed" : order.table());
        }
        notifyAll();
    }

    synchronized List<FailedLoad> list() {
        return reasons.entrySet().stream()
                .map(entry -> new FailedLoad(entry.getKey(), entry.getValue()))
                .toList();
    }

    /** Waits until one of these is to be tried again, or until {@code closing}. */
    synchronized void awaitRetry(List<TableId> tables, BooleanSupplier closing) {
        try {
            while (!closing.getAsBoolean() && reasons.keySet().containsAll(tables)) {
                wait(LOOK_MILLIS);
            }
        } catch (InterruptedException e) {
            throw Stopped.interrupted("load", e);
        }
    }
}
