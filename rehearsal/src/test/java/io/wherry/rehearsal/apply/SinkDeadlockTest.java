package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.postgres.Sessions;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class SinkDeadlockTest {
    /**
     * A deadlock of the worker with another session that locks the same counters in another order. Seen to fail without another
     * attempt: the epoch was 2, because every worker, lane and consumer had been started again.
     */
    @Test
    void aDeadlockOverTheCountersOfTwoTablesRestartsNoWorker() throws Exception {
        try (SinkFixture sink = new SinkFixture(SharedServer.target(15), "deadlock", 1)) {
            sink.prepareTarget(
                    "CREATE TABLE public.a (id int PRIMARY KEY)", "CREATE TABLE public.b (id int PRIMARY KEY)");
            sink.startSink();
            sink.plan(1, 0, "a", "b");
            sink.ready("a", "b");
            sink.commit(101, insert("a", 1), insert("b", 1));
            sink.awaitDrained("a", "b");
            try (Connection other = Sessions.open(sink.migration, sink.migration.target(), "test");
                    Statement statement = other.createStatement()) {
                other.setAutoCommit(false);
                // So that the server ends the worker's wait, not the other session's.
                statement.execute("SET deadlock_timeout = '10min'");
                statement.execute(lock("b"));
                sink.commit(102, insert("a", 2), insert("b", 2));
                await("the worker waits")
                        .atMost(Duration.ofSeconds(30))
                        .pollInterval(Duration.ofMillis(20))
                        .until(() -> sink.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                                .equals("1"));
                statement.execute(lock("a"));
                other.commit();
            }
            sink.awaitDrained("a", "b");
            assertThat(sink.query("SELECT count(*) FROM public.a, public.b")).isEqualTo("4");
            assertThat(sink.query("SELECT epoch FROM wherry.applier")).isEqualTo("1");
            assertThat(sink.query("SELECT sum(inserts) FROM wherry.relation")).isEqualTo("4");
        }
    }

    private static String lock(String table) {
        return "SELECT FROM wherry.relation WHERE table_name = '" + table + "' FOR UPDATE";
    }
}
