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
        assertThat(TableNames.find(List.of("public.orders,public.Order Items"), KNOWN, "compared"))
                .containsExactly(ITEMS, ORDERS);
        assertThat(TableNames.find(List.of("public.orders", "public.Order Items", "public.orders"), KNOWN, "compared"))
                .containsExactly(ITEMS, ORDERS);
        assertThat(TableNames.find(List.of(), KNOWN, "compared")).isEqualTo(KNOWN);
    }

    @Test
    void aNameMayHoldAComma() {
        assertThat(TableNames.find(List.of("public.a,public.a,b,public.orders"), KNOWN, "compared"))
                .containsExactly(A, COMMA, ORDERS);
        assertThat(TableNames.find(List.of("public.a,b"), KNOWN, "compared")).containsExactly(COMMA);
    }

    @Test
    void tablesThatAreWrittenAlikeAreAllMeant() {
        TableId one = new TableId("a.b", "c");
        TableId other = new TableId("a", "b.c");
        assertThat(TableNames.find(List.of("a.b.c"), Set.of(one, other), "compared"))
                .containsExactlyInAnyOrder(one, other);
    }

    @Test
    void aNameThatNoTableHasIsAPattern() {
        TableId star = new TableId("public", "*");

        assertThat(TableNames.find(
                        List.of("public.o*,public.A"), Set.of(ORDERS, ITEMS, new TableId("public", "A")), "compared"))
                .containsExactly(new TableId("public", "A"), ORDERS);
        assertThat(TableNames.find(List.of("public.*"), Set.of(ORDERS, star), "compared"))
                .as("a table of that very name")
                .containsExactly(star);
    }

    @Test
    void everyUnknownNameIsTold() {
        assertThatThrownBy(() -> TableNames.find(List.of("public.a,orders", "public.Orders", ""), KNOWN, "compared"))
                .isInstanceOf(ConfigurationException.class)
                .satisfies(e -> assertThat(((ConfigurationException) e).findings())
                        .extracting(finding -> finding.object())
                        .containsExactly("table orders", "table public.Orders", "table "));
    }
}
