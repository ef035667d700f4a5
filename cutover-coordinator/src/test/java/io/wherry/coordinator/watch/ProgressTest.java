package io.wherry.coordinator.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ProgressTest {
    private static final TableId ORDERS = new TableId("public", "orders");
    private static final Flow FLOW = Flow.first(MigrationFile.parse(
            "{name: shop, source: {url: 'jdbc:postgresql://h/s', user: u}, target: {url: 'jdbc:postgresql://h/t', user: u}}",
            Map.of()));
    private static final TableId ITEMS = new TableId("public", "items");

    /** Otherwise a cutover that is requested right after the order would start, and the table would be truncated after the comparison. */
    @Test
    void anOrderThatHasYetToComeBackFromKafkaIsKnownAndCountsOnce() {
        Progress progress = new Progress(FLOW);
        progress.planned(plan(1, ORDERS, ITEMS));
        Order order = new Order(Order.Kind.RELOAD, ORDERS, 17);

        progress.giving(order);
        assertThat(progress.epochs()).isEqualTo(Map.of(ORDERS, 2, ITEMS, 1));
        assertThat(progress.wanted()).isEqualTo(Map.of(ORDERS, 2, ITEMS, 1));
        progress.ordered(new Order(Order.Kind.RELOAD, ORDERS, 17));
        assertThat(progress.epochs()).isEqualTo(Map.of(ORDERS, 2, ITEMS, 1));
        progress.planned(plan(2, ORDERS));
        assertThat(progress.epochs()).isEqualTo(Map.of(ORDERS, 2, ITEMS, 1));

        progress.giving(order);
        progress.notGiven(order);
        assertThat(progress.epochs()).isEqualTo(Map.of(ORDERS, 2, ITEMS, 1));
    }

    private static LoadPlan plan(int epoch, TableId... tables) {
        return new LoadPlan(
                epoch,
                Lsn.ZERO,
                List.of(tables).stream()
                        .map(table -> new LoadPlan.Table(table, "shop." + table, 1, 1, 10, 10))
                        .toList());
    }
}
