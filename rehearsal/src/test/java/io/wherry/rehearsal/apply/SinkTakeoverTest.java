package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.UNCHANGED;
import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static io.wherry.rehearsal.fixture.SinkFixture.truncate;
import static io.wherry.rehearsal.fixture.SinkFixture.update;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.postgres.Sessions;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import io.wherry.sink.SinkApplier;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Only one of two sink-appliers writes, whatever the other does and whatever happens to the target. */
final class SinkTakeoverTest {
    private static final String PEOPLE =
            "CREATE TABLE public.people (id int PRIMARY KEY, email text UNIQUE, note text, born date)";
    private static int count;

    private SinkFixture sink;

    @BeforeEach
    void begin() throws SQLException {
        sink = new SinkFixture(SharedServer.target(17), "takeover" + count++, 2);
    }

    @AfterEach
    void end() throws SQLException {
        sink.close();
    }

    @Test
    void secondInstanceWaitsAndTakesOver() throws SQLException {
        sink.prepareTarget(PEOPLE);
        SinkApplier first = sink.startSink();
        sink.plan(1, 1, "people");
        sink.chunk(0, "people", 1, 0, "1\ta\t\\N\t\\N");
        sink.ready("people");
        SinkApplier second = sink.startSink();
        sink.commit(101, insert("people", 2, "b", null, null));
        sink.awaitDrained("people");
        assertThat(sink.query("SELECT epoch FROM wherry.applier")).isEqualTo("1");
        first.close();
        sink.commit(102, insert("people", 3, "c", null, null));
        sink.awaitDrained("people");
        assertThat(sink.query("SELECT epoch FROM wherry.applier")).isEqualTo("2");
        second.close();
    }

    /** Seen to fail when the predecessor's sessions were left alone: its successor waits for its locks forever. */
    @Test
    void aPredecessorThatHangsInATransactionDoesNotBlockItsSuccessor() throws SQLException {
        sink.prepareTarget(PEOPLE);
        SinkApplier first = sink.startSink();
        sink.plan(1, 1, "people");
        sink.chunk(0, "people", 1, 0, "1\ta\t\\N\t\\N");
        sink.ready("people");
        sink.awaitDrained("people");
        first.close();
        // A stopped process, or a machine without a network: its lock is gone, its worker's transaction is not.
        try (Connection hanging = Sessions.open(sink.migration, sink.migration.target(), "sink worker 0");
                Statement statement = hanging.createStatement()) {
            hanging.setAutoCommit(false);
            statement.execute("UPDATE wherry.checkpoint SET next_offset = next_offset");
            statement.execute("UPDATE public.people SET note = 'half a batch'");
            sink.startSink();
            sink.commit(101, update("people", 1, "b", UNCHANGED, null));
            sink.awaitDrained("people");
            assertThat(sink.query("SELECT * FROM public.people")).isEqualTo("1|b|null|null");
        }
    }

    @Test
    void zombieBehindALostLockIsFenced() throws SQLException {
        sink.prepareTarget(PEOPLE);
        SinkApplier zombie = sink.startSink();
        sink.plan(1, 1, "people");
        sink.chunk(0, "people", 1, 0, "1\ta\t\\N\t\\N");
        sink.ready("people");
        sink.awaitDrained("people");
        // Another instance has taken over, and this instance does not know: it still holds its sessions.
        sink.execute("WITH taken AS (UPDATE wherry.applier SET epoch = 7) UPDATE wherry.checkpoint SET epoch = 7");
        sink.commit(101, insert("people", 2, "b", null, null));
        // It writes nothing more as epoch 1. It becomes a standby, and as the lock is free, it takes over in its turn.
        org.awaitility.Awaitility.await()
                .atMost(java.time.Duration.ofMinutes(1))
                .until(() -> sink.query("SELECT epoch FROM wherry.applier").equals("8"));
        sink.awaitDrained("people");
        assertThat(sink.query("SELECT count(*) FROM public.people")).isEqualTo("2");
        assertThat(zombie.done().toCompletableFuture()).isNotDone();
    }

    /**
     * Seen to fail when the switch row left the epoch alone, and a sink-applier did not check for the switch row: the row that
     * serves was overwritten, and its table was emptied.
     */
    @Test
    void anApplierThatLivesOnAfterTheSwitchRowNeitherWritesNorTruncates() throws SQLException {
        sink.prepareTarget(PEOPLE);
        SinkApplier left = sink.startSink();
        SinkApplier standby = sink.startSink();
        sink.plan(1, 1, "people");
        sink.chunk(0, "people", 1, 0, "1\ta\t\\N\t\\N");
        sink.ready("people");
        sink.awaitDrained("people");
        // The same statements as in the coordinator's transaction.
        sink.execute("WITH ended AS (UPDATE wherry.applier SET epoch = epoch + 1 RETURNING epoch),"
                + " switched AS (INSERT INTO wherry.journal (generation, state) VALUES (1, 'SWITCHING'))"
                + " UPDATE wherry.checkpoint SET epoch = ended.epoch FROM ended");
        sink.commit(101, update("people", 1, "overwritten", null, null), insert("people", 2, "b", null, null));
        sink.commit(102, truncate("people"));
        SinkApplier restarted = sink.startSink();
        for (SinkApplier applier : java.util.List.of(left, standby, restarted)) {
            assertThat(applier.done()).succeedsWithin(java.time.Duration.ofMinutes(1));
        }
        assertThat(sink.query("SELECT * FROM public.people")).isEqualTo("1|a|null|null");
        assertThat(sink.query("SELECT epoch FROM wherry.applier")).isEqualTo("2");
    }

    @Test
    @Tag("embedded-only")
    void theTargetMayRestart() throws SQLException {
        try (ChildProcesses children = new ChildProcesses();
                EmbeddedPostgres postgres = EmbeddedPostgres.start(
                        children, 17, children.temporaryDirectory("wherry-sink"), Map.of("fsync", "off"));
                SinkFixture sink = new SinkFixture(postgres, "sink_restart", 2)) {
            theTargetMayRestart(postgres, sink);
        }
    }

    private static void theTargetMayRestart(EmbeddedPostgres postgres, SinkFixture sink) throws SQLException {
        sink.prepareTarget(PEOPLE);
        SinkApplier applier = sink.startSink();
        sink.plan(1, 1, "people");
        sink.chunk(0, "people", 1, 0);
        sink.ready("people");
        sink.commit(101, insert("people", 1, "a", null, null));
        sink.awaitDrained("people");
        sink.disconnect();
        postgres.kill();
        sink.commit(102, insert("people", 2, "b", null, null));
        postgres.restart();
        sink.connect();
        sink.awaitDrained("people");
        assertThat(sink.query("SELECT id FROM public.people ORDER BY id")).isEqualTo("1\n2");
        assertThat(applier.done().toCompletableFuture()).isNotDone();
    }
}
