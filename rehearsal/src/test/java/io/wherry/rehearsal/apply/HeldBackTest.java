package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static io.wherry.rehearsal.fixture.SinkFixture.update;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.Position;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import java.sql.SQLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A source transaction moves the values of a deferrable constraint and comes in parts. The target's role has its constraints
 * checked at commit, so the target refuses the first part alone.
 */
final class HeldBackTest {
    private static final Position BEFORE = new Position(new Lsn(100), new Lsn(110), 0, new Timeline("7", 1));
    private static final String PLACES = "SELECT string_agg(id || ':' || pos, ' ' ORDER BY id) FROM public.place";
    private static final String STOPPED =
            "SELECT coalesce(max(stopped_because), 'no') FROM wherry.relation WHERE table_name = 'place'";

    private SinkFixture sink;

    @BeforeEach
    void begin() throws SQLException {
        sink = new SinkFixture(SharedServer.target(17), "heldback", 1);
        sink.prepareTarget(
                "CREATE TABLE public.place (id int PRIMARY KEY, pos int, UNIQUE (pos) DEFERRABLE)",
                "CREATE TABLE public.log (id int PRIMARY KEY)");
        for (String sql : new String[] {
            "CREATE ROLE plain LOGIN PASSWORD 'plain'",
            "ALTER TABLE public.place OWNER TO plain",
            "ALTER TABLE public.log OWNER TO plain",
            "GRANT USAGE, CREATE ON SCHEMA public, wherry TO plain",
            "GRANT ALL ON ALL TABLES IN SCHEMA wherry TO plain"
        }) {
            sink.execute(sql);
        }
        sink.startSink(new Endpoint(sink.migration.target().url(), "plain", "plain"));
        sink.plan(1, 1, "place", "log");
        sink.chunk(0, "place", 1, 0, "1\t1", "2\t2", "3\t3");
        sink.chunk(1, "log", 1, 0);
        sink.ready("place", "log");
    }

    @AfterEach
    void end() throws SQLException {
        sink.close();
    }

    /** Seen to fail without the question whether the transaction is whole: the table stopped at its first part. */
    @Test
    void aPartThatTheTargetRefusesWaitsForTheRestAndOtherTablesDoNot() throws Exception {
        sink.commit(200, part(200, 1), update("place", 1, 2));
        for (int i = 1; i <= 3; i++) {
            sink.commit(100 + i, insert("log", i));
            sink.awaitDrained("log");
        }
        assertThat(sink.query(STOPPED)).isEqualTo("no");
        assertThat(sink.query(PLACES)).isEqualTo("1:1 2:2 3:3");

        sink.commit(200, part(200, 2), update("place", 2, 3));
        sink.commit(200, whole(200), update("place", 3, 1));
        sink.awaitDrained("place");
        assertThat(sink.query(PLACES)).isEqualTo("1:2 2:3 3:1");
        assertThat(sink.query(STOPPED)).isEqualTo("no");
    }

    @Test
    void aWholeTransactionThatTheTargetRefusesStopsItsTable() throws Exception {
        sink.commit(200, part(200, 1), update("place", 1, 2));
        sink.commit(200, whole(200), update("place", 3, 1));
        sink.awaitQuery(
                "SELECT stopped_because LIKE '%duplicate key%' FROM wherry.relation WHERE table_name = 'place'", "t");
        assertThat(sink.query(PLACES)).isEqualTo("1:1 2:2 3:3");
    }

    /** The other change of the transaction is of another table: nothing more comes to this one. */
    @Test
    void aTransactionThatEndsElsewhereStopsItsTableOnceItIsWhole() throws Exception {
        sink.commit(200, part(200, 1), update("place", 1, 2));
        sink.commit(200, whole(200), insert("log", 7));
        sink.awaitDrained("log");
        sink.awaitQuery(
                "SELECT stopped_because LIKE '%duplicate key%' FROM wherry.relation WHERE table_name = 'place'", "t");
    }

    private static Position part(long commitLsn, long order) {
        return BEFORE.within(BEFORE.timeline(), new Position.Part(new Lsn(commitLsn), new Lsn(120 + order), 1, order));
    }

    private static Position whole(long commitLsn) {
        return new Position(new Lsn(commitLsn), new Lsn(commitLsn + 10), 0, BEFORE.timeline());
    }
}
