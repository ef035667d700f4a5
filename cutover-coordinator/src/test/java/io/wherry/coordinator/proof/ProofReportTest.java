package io.wherry.coordinator.proof;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.proof.ProofReport.Pass;
import io.wherry.coordinator.proof.ProofReport.Table;
import io.wherry.coordinator.proof.ProofStatus.PassStatus;
import io.wherry.coordinator.proof.ProofStatus.TableStatus;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Difference.Kind;
import io.wherry.coordinator.recheck.DirtyKeys;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ProofReportTest {
    private static final TableId BIG = new TableId("public", "big");
    private static final TableId SMALL = new TableId("public", "small");

    private static TableStatus proven(TableId table) {
        return new TableStatus(table, true, 100, "", 2, 5_000, 1, 5_000L, 100, 8_192, null);
    }

    private static TableStatus comparing(TableId table, long estimated, PassStatus pass) {
        return new TableStatus(table, false, 0, "is being compared", 0, 0, 0, null, estimated, estimated * 100, pass);
    }

    private static ProofReport report(List<Difference> differences, TableStatus... tables) {
        return ProofReport.of(
                new ProofStatus(List.of(tables), new DirtyKeys.Size(2, 0, 0), differences, 40_000, 5_000),
                List.of(),
                Map.of(),
                false,
                "");
    }

    @Test
    void aPassHasARateAndAnEnd() {
        ProofReport report = report(List.of(), comparing(BIG, 100_000, new PassStatus(40_000, 20_000)), proven(SMALL));
        Table big = report.tables().get(0);
        assertThat(big.percent()).isEqualTo(40);
        assertThat(big.ageMillis()).isNull();
        assertThat(big.pass()).isEqualTo(new Pass(40_000, 2_000L, 200_000L, 30L));
        assertThat(report.etaSeconds()).isEqualTo(30);
        assertThat(report.complete()).isFalse();
        assertThat(report.proven()).isEqualTo(1);
    }

    @Test
    void tablesThatWaitCountForTheEndOfAll() {
        ProofReport report = report(
                List.of(), comparing(BIG, 100_000, new PassStatus(40_000, 20_000)), comparing(SMALL, 20_000, null));
        assertThat(report.etaSeconds()).isEqualTo(40);
        assertThat(report.tables().get(1).percent()).isZero();
    }

    @Test
    void whatTheCatalogDoesNotKnowIsNotGuessed() {
        for (long unknown : new long[] {-1, 0}) {
            TableStatus big = new TableStatus(
                    BIG, false, 0, "is being compared", 0, 0, 0, null, unknown, 8_192, new PassStatus(40_000, 20_000));
            ProofReport report = report(List.of(), big);
            assertThat(report.tables().get(0))
                    .returns(null, Table::percent)
                    .returns(null, Table::rowsEstimated)
                    .returns(new Pass(40_000, 2_000L, null, null), Table::pass);
            assertThat(report.etaSeconds()).isNull();
        }
        assertThat(report(List.of(), comparing(BIG, 10, new PassStatus(1, 1)))
                        .tables()
                        .get(0)
                        .pass())
                .as("too short for a rate")
                .isEqualTo(new Pass(1, null, null, null));
    }

    @Test
    void aStatisticThatIsTooSmallEndsNoPass() {
        ProofReport report = report(List.of(), comparing(BIG, 100, new PassStatus(40_000, 20_000)));
        assertThat(report.tables().get(0).percent()).isEqualTo(99);
        assertThat(report.tables().get(0).pass().etaSeconds()).isZero();
    }

    @Test
    void onlyProvenTablesWithoutDifferencesAreComplete() {
        assertThat(report(List.of(), proven(SMALL)).complete()).isTrue();
        assertThat(report(List.of(), proven(SMALL)).etaSeconds()).isZero();
        assertThat(report(List.of()).complete()).as("nothing was read yet").isFalse();
        Difference difference = new Difference(SMALL, List.of("7"), Kind.DIFFERS, List.of("v"));
        ProofReport differs = report(List.of(difference), proven(SMALL));
        assertThat(differs.complete()).isFalse();
        assertThat(differs.tables().get(0).differences()).isEqualTo(1);
        assertThat(differs.differences())
                .containsExactly(new ProofReport.Found(
                        "public.small", List.of("7"), "DIFFERS", List.of("v"), "public.small (7) differs in v", null));
    }
}
