package io.wherry.coordinator.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.cutover.WindowForecast.Size;
import io.wherry.coordinator.cutover.WindowForecast.Whole;
import io.wherry.coordinator.proof.ProofStatus;
import io.wherry.coordinator.proof.ProofStatus.TableStatus;
import io.wherry.coordinator.recheck.DirtyKeys;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WindowForecastTest {
    private static final Duration TEN_SECONDS = Duration.ofSeconds(10);
    private static final Duration DAY = Duration.ofHours(24);
    private static final Duration HALF_A_SECOND = Duration.ofMillis(500);
    private static final long MEGABYTE = 1_000_000;

    @Test
    void withoutAProofEachTableTakesWhatItsRowsOrItsBytesTakeWhicheverIsMore() {
        WindowForecast forecast = WindowForecast.of(
                List.of(
                        size("narrow", 1_000_000, 40 * MEGABYTE),
                        size("wide", 1_000, 500 * MEGABYTE),
                        size("never_analyzed", -1, 100 * MEGABYTE)),
                "verify.witness is off");
        assertThat(forecast.whole())
                .containsExactly(
                        new Whole(table("wide"), 5_002, "verify.witness is off"),
                        new Whole(table("narrow"), 2_002, "verify.witness is off"),
                        new Whole(table("never_analyzed"), 1_002, "verify.witness is off"));
        assertThat(forecast.millis())
                .as("two tables at a time: the slowest beside the others")
                .isEqualTo(5_002);
        assertThat(forecast.line()).isEqualTo("compares 3 of 3 tables whole, about 5.0 s");
    }

    @Test
    void withAProofOnlyTablesThatAreNotProvenAreComparedWhole() {
        WindowForecast forecast = WindowForecast.of(
                List.of(
                        size("proven", 100_000_000, 9_000 * MEGABYTE),
                        size("log", 100_000_000, 9_000 * MEGABYTE),
                        size("loading", 500_000, MEGABYTE),
                        size("new", 0, 0)),
                status(
                        proven("proven", 1_000, Duration.ofHours(1), Duration.ofMinutes(2)),
                        unproven("log", Duration.ofMillis(400)),
                        unproven("loading", Duration.ZERO)),
                HALF_A_SECOND);
        assertThat(forecast.relied()).extracting(TableStatus::table).containsExactly(table("proven"));
        assertThat(forecast.whole())
                .as("the time of the last pass counts, not the size")
                .containsExactly(
                        new Whole(table("loading"), 1_002, "changes all the time"),
                        new Whole(table("log"), 400, "changes all the time"),
                        new Whole(table("new"), 2, "the proof does not know it yet"));
        assertThat(forecast.changedRows())
                .as("those of tables that are compared whole do not count")
                .isEqualTo(1_000);
        assertThat(forecast.millis())
                .as("a table of which the time is known, then two others at a time, then the rows that changed")
                .isEqualTo(400 + 1_002 + 200);
        assertThat(forecast.line()).isEqualTo("compares 3 of 4 tables whole, and 1000 rows that changed, about 1.6 s");
    }

    @Test
    void provenTablesThatTheWindowComparesAnywayCountAsWhole() {
        WindowForecast forecast = WindowForecast.of(
                List.of(size("fast", 0, 0), size("slow", 0, 0)),
                status(
                        proven("fast", 7, Duration.ofHours(30), Duration.ofMillis(300)),
                        proven("slow", 0, Duration.ofHours(1), Duration.ofMillis(201))),
                HALF_A_SECOND);
        assertThat(forecast.whole()).containsExactly(new Whole(table("slow"), 201, "fits verify.whole-within"));
        assertThat(forecast.relied()).extracting(TableStatus::table).containsExactly(table("fast"));
    }

    @Test
    void provenTablesAreComparedAnywayInTheTimeThatTheOthersLeaveAtLeastAQuarter() {
        assertThat(anywayBeside(Duration.ofMillis(170))).containsExactly(table("a"), table("b"));
        assertThat(anywayBeside(Duration.ofMillis(171))).containsExactly(table("a"));
        assertThat(anywayBeside(Duration.ofMinutes(1))).as("a quarter, 100 ms").containsExactly(table("a"));
    }

    private static List<TableId> anywayBeside(Duration unproven) {
        return WindowForecast.of(
                        List.of(size("a", 0, 0), size("b", 0, 0), size("log", 0, 0)),
                        status(
                                proven("a", 0, DAY, Duration.ofMillis(100)),
                                proven("b", 0, DAY, Duration.ofMillis(130)),
                                unproven("log", unproven)),
                        Duration.ofMillis(400))
                .whole()
                .stream()
                .filter(whole -> whole.why().equals("fits verify.whole-within"))
                .map(Whole::table)
                .sorted()
                .toList();
    }

    @Test
    void tablesOfWhichTheTimeIsKnownAreComparedOneAfterAnotherForASecondAtMost() {
        List<Size> sizes = List.of(size("a", 0, 0), size("b", 0, 0), size("c", 0, 0), size("d", 0, 0));
        ProofStatus status = status(
                unproven("a", Duration.ofMillis(300)),
                unproven("b", Duration.ofMillis(600)),
                unproven("c", Duration.ofMillis(700)),
                unproven("d", Duration.ofMillis(800)));
        assertThat(WindowForecast.of(sizes, status, HALF_A_SECOND).millis())
                .as("c and d at the same time")
                .isEqualTo(300 + 600 + 800);
    }

    @Test
    void moreThanHalfOfTheWindowIsAnObstacleThatNamesTheLargestTablesAndWhatToDo() {
        List<Size> sizes = List.of(
                size("a", 2_000_000, 0),
                size("b", 2_500_000, 0),
                size("c", 500_000, 0),
                size("d", 50_000, 0),
                size("e", 50_000, 0));
        WindowForecast forecast = WindowForecast.of(sizes, "the proof has not begun");
        assertThat(forecast.millis()).isEqualTo(5_106);
        assertThat(forecast.obstacles(Duration.ofMillis(2 * 5_106), DAY)).isEmpty();
        assertThat(forecast.obstacles(TEN_SECONDS, DAY))
                .containsExactly("the comparison in the window would take about 5.1 s, more than half of"
                        + " cutover.max-downtime (10.0 s): public.b 5.0 s (the proof has not begun), public.a 4.0 s (the proof has not"
                        + " begun), public.c 1.0 s (the proof has not begun), 2 more tables 0.2 s. Wait until more tables are proven"
                        + " (wherry status), which needs verify.witness: on; or raise cutover.max-downtime; or begin all the same:"
                        + " wherry cutover --force verify");
    }

    @Test
    void rowsThatChangedAreNamedWhenTheyTakeTheTime() {
        WindowForecast forecast = WindowForecast.of(
                List.of(size("busy", 0, 0)),
                status(proven("busy", 200_000, Duration.ofHours(1), Duration.ofHours(1))),
                HALF_A_SECOND);
        assertThat(forecast.line())
                .isEqualTo("compares 0 of 1 tables whole, and 200000 rows that changed, about 40.0 s");
        assertThat(forecast.obstacles(TEN_SECONDS, DAY))
                .singleElement()
                .asString()
                .contains("(10.0 s): 200000 rows that changed 40.0 s. Wait");
    }

    @Test
    void aSmallDatabaseIsNeverRefusedForAPassThatIsNotComplete() {
        List<Size> sizes =
                IntStream.range(0, 40).mapToObj(i -> size("t" + i, 100, 16_384)).toList();
        WindowForecast forecast = WindowForecast.of(sizes, "the proof has not begun");
        assertThat(forecast.millis()).isBetween(40L, 49L);
        assertThat(forecast.obstacles(Duration.ofMillis(1), DAY)).isEmpty();
        assertThat(forecast.line()).isEqualTo("compares 40 of 40 tables whole, less than 0.1 s");
        assertThat(WindowForecast.of(List.of(), "").line()).isEqualTo("compares 0 of 0 tables whole, less than 0.1 s");
    }

    @Test
    void anOldProofIsAnObstacleOnlyWhereTheWindowReliesOnIt() {
        List<Size> sizes = List.of(size("old", 0, 0), size("older", 0, 0), size("young", 0, 0), size("whole", 0, 0));
        ProofStatus status = status(
                proven("old", 0, Duration.ofHours(25), Duration.ofMinutes(2)),
                proven("older", 0, Duration.ofMinutes(1_770), Duration.ofMinutes(2)),
                proven("young", 0, DAY, Duration.ofMinutes(2)),
                proven("whole", 0, Duration.ofHours(90), Duration.ofMillis(3)));
        assertThat(WindowForecast.of(sizes, status, HALF_A_SECOND).obstacles(TEN_SECONDS, DAY))
                .containsExactly(
                        "the proof is older than verify.max-age (24.0 h) of public.older, 29.5 h; public.old, 25.0 h."
                                + " Wait for the next pass (wherry status); or raise verify.max-age; or begin all the same: wherry cutover"
                                + " --force verify");
    }

    private static TableStatus proven(String name, long dirtyKeys, Duration age, Duration took) {
        return new TableStatus(
                table(name), true, 100, "", dirtyKeys, age.toMillis(), took.toNanos(), null, -1, 0, null);
    }

    private static TableStatus unproven(String name, Duration took) {
        return new TableStatus(
                table(name), false, 40, "changes all the time", 900, 0, took.toNanos(), null, -1, 0, null);
    }

    private static ProofStatus status(TableStatus... tables) {
        return new ProofStatus(List.of(tables), new DirtyKeys.Size(0, 0, 0), List.of(), 0, 0);
    }

    private static Size size(String name, long rows, long bytes) {
        return new Size(table(name), rows, bytes);
    }

    private static TableId table(String name) {
        return new TableId("public", name);
    }
}
