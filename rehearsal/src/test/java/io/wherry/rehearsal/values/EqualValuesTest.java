package io.wherry.rehearsal.values;

import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows whose values are equal but not identical: under a case-insensitive collation, with another scale, with blanks. */
@EveryThirdDay(1)
class EqualValuesTest {
    /** Without a key, a row is found by the bytes of its values; with a key, the bytes of the key come to the target too. */
    @Test
    void eachRowKeepsItsBytes() throws Exception {
        eachRowKeepsItsBytes(12, 18);
    }

    /** From version 12 on, the sink-applier asks every target the same way. */
    @Tag("slow")
    @ParameterizedTest
    @CsvSource({"15, 15", "18, 18"})
    void eachRowKeepsItsBytesBetweenOtherVersions(int source, int target) throws Exception {
        eachRowKeepsItsBytes(source, target);
    }

    private static void eachRowKeepsItsBytes(int source, int target) throws Exception {
        try (MigrationFixture migration = new MigrationFixture("equal-" + source + "-" + target, source, target)) {
            migration.executeFile("equal.sql");
            migration.startCoordinator();
            migration.startSource();
            migration.awaitSlot();
            migration.executeFile("equal-changes.sql");
            migration.startSink();
            migration.awaitState(State.CATCHING_UP);
            migration.executeFile("equal-changes.sql");
            migration.awaitState(State.IN_SYNC);
            migration.executeFile("equal-changes.sql");
            migration.cutOverAndCompare();
        }
    }
}
