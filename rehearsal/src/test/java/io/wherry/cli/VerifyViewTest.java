package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.record.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("no-servers")
final class VerifyViewTest {
    private static final String EQUAL = """
            {"table": "public.a", "proven": true, "unproven": "", "percent": 100, "rowsEstimated": 10, "dirtyKeys": 0,
             "differences": 0, "ageMillis": 14000, "lastPassMillis": 14000, "pass": null}""";
    private static final String RUNNING = """
            {"table": "public.b", "proven": false, "unproven": "is being compared", "percent": 45, "rowsEstimated": 100000,
             "dirtyKeys": 1200, "differences": 0, "ageMillis": null, "lastPassMillis": null,
             "pass": {"rows": 45000, "rowsPerSecond": 300, "bytesPerSecond": 3100000, "etaSeconds": 184}}""";
    private static final String DIFFERENT = """
            {"table": "public.c", "proven": false, "unproven": "1 differences stand", "percent": 0, "rowsEstimated": 10,
             "dirtyKeys": 0, "differences": 1, "ageMillis": null, "lastPassMillis": 900, "pass": null}""";
    private static final String DIFFERENCE = """
            {"table": "public.c", "key": ["7"], "kind": "DIFFERS", "columns": ["v"], "explained": "public.c (7) differs in v"}""";

    private static JsonNode report(List<String> tables, List<String> differences, String waitsFor) throws Exception {
        boolean complete =
                tables.stream().allMatch(table -> table.contains("\"proven\": true")) && differences.isEmpty();
        return Json.mapper().readTree("""
                {"complete": %s, "stopped": %s, "waitsFor": "%s", "proven": 1, "dirtyKeys": 1200, "rowsCompared": 45010,
                 "etaSeconds": 184, "oldestMillis": 14000, "tables": %s, "differences": %s}""".formatted(
                        complete && !tables.isEmpty(), waitsFor.contains("resume"), waitsFor, tables, differences));
    }

    @Test
    void theSummaryComesFirstThenTheTablesThenTheRows() throws Exception {
        assertThat(VerifyView.text(report(List.of(EQUAL, RUNNING, DIFFERENT), List.of(DIFFERENCE), "")))
                .isEqualTo("""
                        proof: 1 of 3 tables equal, 1 ROWS DIFFER, 45,010 rows compared, 1,200 changed rows to compare, the oldest is 14 s old, all are compared once in about 3 min
                          public.a                                 equal       proven 14 s ago
                          public.b                                 not proven  is being compared, pass: 45 %, 300 rows/s, about 3.1 MB/s, ends in about 3 min, 1,200 changed rows to compare
                          public.c                                 DIFFERS     1 differences stand
                        difference: public.c (7) differs in v
                        """);
        assertThat(VerifyView.text(report(List.of(), List.of(), "the rows are not loaded")))
                .isEqualTo("proof: none, waits for the rows are not loaded\n");
        assertThat(VerifyView.text(report(List.of(EQUAL), List.of(), "the operator: wherry verify resume")))
                .contains("STOPPED, waits for the operator: wherry verify resume");
    }

    @Test
    void theExitCodeTellsADifferenceFromWhatIsNotComplete() throws Exception {
        assertThat(VerifyView.exitCode(report(List.of(EQUAL), List.of(), ""))).isEqualTo(ExitCode.DONE);
        assertThat(VerifyView.exitCode(report(List.of(EQUAL, RUNNING), List.of(), "")))
                .isEqualTo(ExitCode.NOT_IN_SYNC);
        assertThat(VerifyView.exitCode(report(List.of(), List.of(), ""))).isEqualTo(ExitCode.NOT_IN_SYNC);
        JsonNode all = report(List.of(EQUAL, RUNNING, DIFFERENT), List.of(DIFFERENCE), "");
        assertThat(VerifyView.exitCode(all)).isEqualTo(ExitCode.DATA_DIFFER);
        assertThat(VerifyView.exitCode(VerifyView.only(all, Set.of("public.a"))))
                .isEqualTo(ExitCode.DONE);
        assertThat(VerifyView.exitCode(VerifyView.only(all, Set.of("public.a", "public.b"))))
                .isEqualTo(ExitCode.NOT_IN_SYNC);
        assertThat(VerifyView.exitCode(VerifyView.only(all, Set.of("public.c"))))
                .isEqualTo(ExitCode.DATA_DIFFER);
        assertThat(VerifyView.exitCode(VerifyView.only(all, Set.of("public.a", "public.dropped"))))
                .as("a table that is not compared any more")
                .isEqualTo(ExitCode.NOT_IN_SYNC);
    }

    @Test
    void onlyAPassThatBeganAfterTheOrderIsWaitedFor() throws Exception {
        JsonNode all = report(List.of(EQUAL, RUNNING, DIFFERENT), List.of(DIFFERENCE), "");
        assertThat(VerifyView.done(all, Set.of("public.a"), 14_000)).isFalse();
        assertThat(VerifyView.done(all, Set.of("public.a"), 14_001)).isTrue();
        assertThat(VerifyView.done(all, Set.of("public.a", "public.b"), 20_000)).isFalse();
        assertThat(VerifyView.done(all, Set.of("public.a", "public.dropped"), 20_000))
                .isTrue();
        assertThat(VerifyView.done(report(List.of(), List.of(), "the witness starts"), Set.of("public.a"), 20_000))
                .as("the proof has begun again")
                .isFalse();
        assertThat(VerifyView.progress(all, Set.of("public.a", "public.b"), 20_000))
                .isEqualTo("1 of 2 tables compared, public.b: 45 %, 300 rows/s, about 3.1 MB/s, ends in about 3 min");
    }

    @Test
    void timesAreShort() {
        assertThat(VerifyView.time(119)).isEqualTo("119 s");
        assertThat(VerifyView.time(120)).isEqualTo("2 min");
        assertThat(VerifyView.time(7_200)).isEqualTo("2 h");
    }

    @Test
    void anOptionWithoutEffectIsRefused() {
        for (List<String> wrong : List.of(
                List.of("status", "--full"),
                List.of("stop", "--tables", "public.a"),
                List.of("status", "--wait"),
                List.of("start", "--watch"),
                List.of("resume", "--schema"),
                List.of("--schema", "--tables", "public.a"),
                List.of("--full", "--schema"),
                List.of("--watch"),
                List.of("begin"))) {
            StringWriter said = new StringWriter();
            List<String> arguments = new ArrayList<>(List.of("verify", "-f", "none.yaml"));
            arguments.addAll(wrong);
            int code = Wherry.commandLine()
                    .setErr(new PrintWriter(said))
                    .setOut(new PrintWriter(said))
                    .execute(arguments.toArray(String[]::new));
            assertThat(code).as(wrong.toString()).isEqualTo(ExitCode.CONFIGURATION);
            assertThat(said.toString()).as(wrong.toString()).doesNotContain("none.yaml");
        }
    }
}
