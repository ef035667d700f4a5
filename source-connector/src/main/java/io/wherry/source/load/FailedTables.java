package io.wherry.source.load;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Order;
import io.wherry.contract.record.SourceStatus.FailedLoad;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tables whose load failed, until the operator orders a retry. Safe for use by several threads. */
public final class FailedTables {
    private static final Logger LOG = LoggerFactory.getLogger(FailedTables.class);

    private final Map<TableId, String> reasons = new TreeMap<>();

    synchronized void add(TableId table, String reason) {
        LOG.error("load of {} failed: {}", table, reason);
        reasons.putIfAbsent(table, reason);
    }

    public synchronized boolean contains(TableId table) {
        return reasons.containsKey(table);
    }

    /** @return whether the order retries a table */
    public synchronized boolean retry(Order order) {
        boolean any = reasons.keySet().removeIf(order::means);
        if (any) {
            LOG.info("retrying the load of {} by order", order.table() == null ? "all failed tables" : order.table());
        }
        return any;
    }

    public synchronized List<FailedLoad> list() {
        return reasons.entrySet().stream()
                .map(entry -> new FailedLoad(entry.getKey(), entry.getValue()))
                .toList();
    }
}
