package io.wherry.contract.name;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class RemediesTest {
    @Test
    void aCommandCanBePastedIntoAShellWhateverTheTableIsCalled() {
        assertThat(Remedies.retry(new TableId("public", "orders"))).isEqualTo("wherry retry --table public.orders");
        assertThat(Remedies.reload(new TableId("public", "Order 'Items'; $(x)")))
                .isEqualTo("wherry reload --table 'public.Order '\\''Items'\\''; $(x)'");
    }

    @Test
    void aReasonThatOffersANewLoadAloneIsNotClearedByRetry() {
        TableId table = new TableId("public", "orders");
        assertThat(Remedies.onlyReload("the topic was deleted; " + Remedies.reload(table)))
                .isTrue();
        assertThat(Remedies.onlyReload("has another type; then " + Remedies.retry(table)))
                .isFalse();
        assertThat(Remedies.onlyReload("do this, then " + Remedies.retry(table) + "; or " + Remedies.reload(table)))
                .isFalse();
    }
}
