package io.wherry.rehearsal.apply;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.FencedException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import io.wherry.sink.state.GroupOffsets;
import java.sql.Connection;
import java.sql.SQLException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the consumer group shows is what the target has committed. */
final class GroupOffsetsTest {
    private static final TopicPartition PEOPLE = new TopicPartition("people", 0);

    private SinkFixture sink;
    private TopicPartition lane;
    private GroupOffsets offsets;
    private Connection session;

    @BeforeEach
    void begin() throws SQLException {
        sink = new SinkFixture(SharedServer.target(17), "groupoffsets", 1);
        sink.prepareTarget();
        lane = new TopicPartition(sink.migration.topics().load(), 0);
        sink.execute("INSERT INTO wherry.applier (epoch) VALUES (1)");
        sink.execute(
                "INSERT INTO wherry.relation (schema_name, table_name, topic, partitions, load_epoch, snapshot_lsn,"
                        + " chunks, rows_estimated, bytes_estimated) VALUES ('public', 'people', 'people', 1, 1, '0/64', 1, 0, 0)");
        sink.execute("INSERT INTO wherry.checkpoint VALUES ('people', 0, 10, '0/0', 1), ('" + lane.topic()
                + "', 0, 4, '0/0', 1), ('topic of a table that is gone', 0, 7, '0/0', 1)");
        offsets = new GroupOffsets(lane.topic(), 1);
        session = Sessions.open(sink.migration, sink.migration.target(), "test offsets");
        session.setAutoCommit(false);
        offsets.look(session);
    }

    @AfterEach
    void end() throws SQLException {
        session.close();
        sink.close();
    }

    @Test
    void aMoveCountsIfItIsOfTheLoadThatTheTargetHolds() throws SQLException {
        assertThat(offsets.current()).containsOnlyKeys(PEOPLE, lane);
        offsets.moved(PEOPLE, new OffsetAndMetadata(12, GroupOffsets.loadMark(session, 1)));
        assertThat(shown(PEOPLE)).isEqualTo(12);
        offsets.moved(PEOPLE, new OffsetAndMetadata(90, GroupOffsets.loadMark(session, 2)));
        assertThat(shown(PEOPLE)).isEqualTo(12);
    }

    /** Seen to fail when a look took whatever it found: the loss could not be seen any more. */
    @Test
    void aTargetThatHasLostCommitsIsNotShownAndANewLoadIs() throws SQLException {
        sink.execute("UPDATE wherry.checkpoint SET next_offset = 5 WHERE topic = 'people'");
        offsets.look(session);
        assertThat(shown(PEOPLE)).isEqualTo(10);

        sink.execute("UPDATE wherry.relation SET load_epoch = 2");
        sink.execute("UPDATE wherry.checkpoint SET next_offset = 0 WHERE topic = 'people'");
        offsets.look(session);
        assertThat(shown(PEOPLE)).isZero();
    }

    @Test
    void aLaneStandsBehindTheMarkerAfterItsLastChunk() throws SQLException {
        assertThat(shown(lane)).isEqualTo(4);
        offsets.readUpTo(lane, 5);
        offsets.look(session);
        assertThat(shown(lane)).isEqualTo(5);
    }

    @Test
    void afterATakeoverThereIsNothingMoreToShow() throws SQLException {
        sink.execute("UPDATE wherry.applier SET epoch = 2");
        assertThatThrownBy(() -> offsets.look(session)).isInstanceOf(FencedException.class);
    }

    private long shown(TopicPartition partition) {
        return offsets.current().get(partition).offset();
    }
}
