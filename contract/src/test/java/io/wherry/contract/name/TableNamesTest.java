package io.wherry.contract.name;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.ConfigurationException;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class TableNamesTest {
    private static final TableId ORDERS = new TableId("public", "orders");
    private static final TableId ITEMS = new TableId("public", "Order Items");
    private static final TableId COMMA = new TableId("public", "a,b");
    private static final TableId A = new TableId("public", "a");
    private static final Set<TableId> KNOWN = Set.of(ORDERS, ITEMS, COMMA, A);

    @Test
    void severalNamesComeOneByOneOrWithCommas() {
        assertThat(TableNames.find(List.of("public.orders,public.Order Items"), KNOWN))
                .containsExactly(ITEMS, ORDERS);
        assertThat(TableNames.find(List.of("public.orders", "public.Order Items", "public.orders"), KNOWN))
                .containsExactly(ITEMS, ORDERS);
        assertThat(TableNames.find(List.of(), KNOWN)).isEqualTo(KNOWN);
    }

    @Test
    void aNameMayHoldAComma() {
        assertThat(TableNames.find(List.of("public.a,public.a,b,public.orders"), KNOWN))
                .containsExactly(A, COMMA, ORDERS);
        assertThat(TableNames.find(List.of("public.a,b"), KNOWN)).containsExactly(COMMA);
    }

    @Test
    void tablesThatAreWrittenAlikeAreAllMeant() {
        TableId one = new TableId("a.b", "c");
        TableId other = new TableId("a", "b.c");
        assertThat(TableNames.find(List.of("a.b.c"), Set.of(one, other))).containsExactlyInAnyOrder(one, other);
    }

    @Test
    void everyUnknownNameIsTold() {
        assertThatThrownBy(() -> TableNames.find(List.of("public.a,orders", "public.Orders", ""), KNOWN))
                .isInstanceOf(ConfigurationException.class)
                .satisfies(e -> assertThat(((ConfigurationException) e).findings())
                        .extracting(finding -> finding.object())
                        .containsExactly("table orders", "table public.Orders", "table "));
    }
}
