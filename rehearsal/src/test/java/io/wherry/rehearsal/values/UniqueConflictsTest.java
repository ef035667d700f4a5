package io.wherry.rehearsal.values;

import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Unique and exclusion constraints stay in force while rows exchange their values. */
@EveryThirdDay(0)
class UniqueConflictsTest {
    /** A superuser's sessions skip checks at commit (they are triggers); any other role's sessions must satisfy them. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void valuesChangePlaces(boolean superuser) throws Exception {
        try (MigrationFixture migration = new MigrationFixture("unique-" + superuser, 15, 15)) {
            migration.executeFile("unique.sql");
            if (!superuser) {
                migration.execute(
                        migration.migration().target(),
                        "ALTER DATABASE " + Identifiers.quote(migration.database()) + " OWNER TO wherry",
                        "ALTER SCHEMA public OWNER TO wherry",
                        "ALTER ROLE wherry NOSUPERUSER");
            }
            migration.startCoordinator();
            migration.startSource();
            migration.awaitSlot();
            migration.executeFile("unique-changes.sql");
            migration.startSink();
            migration.awaitState(State.CATCHING_UP);
            migration.executeFile("unique-changes.sql");
            migration.awaitState(State.IN_SYNC);
            migration.executeFile("unique-changes.sql");
            migration.cutOverAndCompare();
        }
    }
}
