package io.wherry.source.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.source.server.Timelines.Reached;
import io.wherry.source.server.Timelines.TimelinePosition;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TimelinesTest {
    private static final Map<Integer, Lsn> LEFT = Map.of(1, new Lsn(400), 2, new Lsn(900));

    @Test
    void aHistoryFileNamesWhereEachTimelineEnded() {
        assertThat(Timelines.parse("""
                        # a comment
                        1\t0/190\tno recovery target specified

                        2\t1/0\tbefore 2000-01-01 00:00:00+00
                        """))
                .containsExactlyInAnyOrderEntriesOf(Map.of(1, new Lsn(0x190), 2, new Lsn(1L << 32)));
    }

    @Test
    void aSourceThatHasLostCommitsIsRefused() {
        refused(reached(401, 1), 3, 2000, "branched off at 0/190");
        refused(reached(901, 2), 3, 2000, "branched off at 0/384");
        refused(reached(100, 4), 3, 2000, "is not in the history");
        refused(reached(2001, 3), 3, 2000, "ends at 0/7D0");
        Reached other = new Reached(new Lsn(1), new Timeline("8", 1));
        assertThatThrownBy(() -> Timelines.require(other, standing(1, 2000), Map.of()))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("this is system 7");
    }

    @Test
    void aSourceThatHoldsEverythingIsAccepted() {
        for (Reached reached : new Reached[] {reached(400, 1), reached(900, 2), reached(2000, 3)}) {
            assertThatCode(() -> Timelines.require(reached, standing(3, 2000), LEFT))
                    .doesNotThrowAnyException();
        }
    }

    private static void refused(Reached reached, int timeline, long end, String why) {
        assertThatThrownBy(() -> Timelines.require(reached, standing(timeline, end), LEFT))
                .isInstanceOf(DataException.class)
                .hasMessageContaining(why);
    }

    private static Reached reached(long lsn, int timeline) {
        return new Reached(new Lsn(lsn), new Timeline("7", timeline));
    }

    private static TimelinePosition standing(int timeline, long end) {
        return new TimelinePosition(new Timeline("7", timeline), new Lsn(end));
    }
}
