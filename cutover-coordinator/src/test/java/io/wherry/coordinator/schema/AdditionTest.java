package io.wherry.coordinator.schema;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.schema.SchemaAdditions.Addition;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class AdditionTest {
    private static final TableId ONE = new TableId("public", "one");
    private static final TableId STOPPED = new TableId("public", "stopped");
    private static final Lsn OTHERS = new Lsn(20);

    @Test
    void whatOneTableWaitsForIsNotHeldBackByAnotherThatStandsStill() {
        assertThat(of(ONE, false).mayRun(new Lsn(10), new Lsn(5), OTHERS, Set.of(STOPPED)))
                .isTrue();
        assertThat(of(STOPPED, false).mayRun(new Lsn(10), new Lsn(5), OTHERS, Set.of(STOPPED)))
                .isFalse();
        assertThat(of(null, false).mayRun(new Lsn(10), new Lsn(5), OTHERS, Set.of(STOPPED)))
                .as("the change may concern rows of the stopped table")
                .isFalse();
    }

    @Test
    void whatForbidsWaitsForRowsFromBeforeItAndWhatPermitsDoesNot() {
        assertThat(of(ONE, false).mayRun(new Lsn(30), new Lsn(5), OTHERS, Set.of(STOPPED)))
                .isFalse();
        assertThat(of(ONE, false).mayRun(new Lsn(30), new Lsn(31), OTHERS, Set.of(STOPPED)))
                .isTrue();
        assertThat(of(null, true).mayRun(new Lsn(30), new Lsn(5), OTHERS, Set.of(STOPPED)))
                .isTrue();
    }

    private static Addition of(TableId alone, boolean relaxes) {
        return new Addition("NOT NULL of a column", ONE, alone, "", relaxes, "");
    }
}
