package io.wherry.source.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.service.Backoff;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class HolderTest {
    @Test
    void theHolderOfALockIsNamedWithTheStatementThatEndsIt() {
        assertThat(new Holder(7, "app", "psql", "idle in transaction", 600L, 37L, null, null, "public.orders").text())
                .isEqualTo(
                        "pid 7 (role app, application psql, idle in transaction for 37 s, its transaction is 10 min old,"
                                + " has written to public.orders). End it: SELECT pg_terminate_backend(7)");
        assertThat(new Holder(0, "app", null, null, 90L, null, "it's", null, null).text())
                .isEqualTo(
                        "the prepared transaction 'it''s' (role app, prepared 90 s ago). End it: COMMIT PREPARED 'it''s' or"
                                + " ROLLBACK PREPARED 'it''s'");
        assertThat(new Holder(0, "app", null, null, 90L, null, "gid", "other", null).text())
                .endsWith("End it in database \"other\": COMMIT PREPARED 'gid' or ROLLBACK PREPARED 'gid'");
    }

    @Test
    void aRoleThatMayNotSeeOtherSessionsReportsThat() {
        Holder hidden = new Holder(7, "app", null, null, null, null, null, null, null);
        assertThat(hidden.text()).contains("pid 7 (role app, Wherry's role may not see how long: GRANT pg_monitor)");
        assertThat(hidden.isOld()).isFalse();
    }

    @Test
    void aLockOfAnOldTransactionIsNotRequested() {
        assertThat(new Holder(7, "app", "", "active", 5L, 5L, null, null, null).isOld())
                .isTrue();
        assertThat(new Holder(0, "app", null, null, 0L, null, "gid", null, null).isOld())
                .isTrue();
        assertThat(new Holder(7, "app", "", "active", 0L, 0L, null, null, null).isOld())
                .isFalse();
    }

    @Test
    void attemptsAtALockBecomeRarer() {
        List<Long> pauses = new ArrayList<>();
        Backoff backoff = TableLocks.pauses();
        while (pauses.size() < 9) {
            pauses.add(backoff.next().toMillis());
        }
        assertThat(pauses).containsExactly(1_000L, 2_000L, 4_000L, 8_000L, 16_000L, 32_000L, 60_000L, 60_000L, 60_000L);
        assertThat(TableLocks.WAIT_MILLIS).isLessThanOrEqualTo(100);
    }
}
