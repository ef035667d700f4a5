package io.wherry.rehearsal.values;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Databases of other projects arrive exactly on a newer version: loaded, changed while changes stream, every row updated, and cut
 * over.
 */
@EveryThirdDay(1)
final class RealDatabasesTest {
    private final ServerPair servers = ServerPair.shared(15, 17);

    @ParameterizedTest
    @ValueSource(strings = {"chinook", "pagila", "pgcopydb-unit", "voy-datatypes", "voy-unique-conflicts"})
    void migratesLive(String database) throws Exception {
        Path scripts = Path.of(getClass().getResource("/databases/" + database).toURI());
        try (MigrationFixture migration = MigrationFixture.between(servers, database)) {
            migration.psql(scripts.resolve("dump.sql"));
            migration.startAll();
            migration.awaitSlot();
            migration.psql(scripts.resolve("changes.sql"));
            migration.awaitState(State.IN_SYNC);
            migration.execute(migration.migration().source(), everyRowAnew(migration));
            migration.completeExactly();
        }
    }

    @Tag("containers-smoke")
    @Test
    void rowsOfUsersInTablesOfExtensionsAreNeitherLostNorLeftBehind() throws Exception {
        migratesLive("extension-owned");
    }

    /** An update of each row that leaves the row unchanged, so that each value goes through the stream. */
    private static String[] everyRowAnew(MigrationFixture migration) throws SQLException {
        List<String> statements = new ArrayList<>(List.of("SET session_replication_role = replica"));
        try (Connection source =
                Sessions.open(migration.migration(), migration.migration().source(), "test")) {
            for (CatalogTable table : SelectedTables.read(source, migration.migration())) {
                String columns = table.writable().stream()
                        .filter(c -> !c.identityKind().equals("a"))
                        .map(CatalogColumn::name)
                        .map(Identifiers::quote)
                        .map(c -> c + " = " + c)
                        .collect(Collectors.joining(", "));
                if (!columns.isEmpty()) {
                    statements.add("UPDATE ONLY " + table.id().quoted() + " SET " + columns);
                }
            }
        }
        return statements.toArray(String[]::new);
    }
}
