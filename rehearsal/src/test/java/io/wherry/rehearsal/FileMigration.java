package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;

/** All three services on a migration whose file the test has written itself, between servers of the test's. */
final class FileMigration implements AutoCloseable {
    private final Migration migration;
    private final Services services;

    /** @param state where the coordinator keeps its token */
    FileMigration(String yaml, Path state) {
        migration = MigrationFile.parse(yaml, Map.of());
        services = new Services(migration, state);
    }

    Migration migration() {
        return migration;
    }

    Services services() {
        return services;
    }

    FileMigration start() {
        services.start();
        return this;
    }

    void awaitState(State state) {
        await("state " + state)
                .atMost(Duration.ofMinutes(4))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> {
                    if (services.done().toCompletableFuture().isCompletedExceptionally()) {
                        Services.await(services);
                    }
                    assertThat(services.coordinator().status().tables())
                            .allSatisfy(table ->
                                    assertThat(table.error()).as(table.table()).isNull());
                    return services.coordinator().status().state() == state;
                });
    }

    void completeCutover() {
        assertThat(services.coordinator().cutover(false).toCompletableFuture().join())
                .extracting(CutoverResult::outcome, CutoverResult::reason)
                .containsExactly(Outcome.COMPLETED, "");
    }

    /** Compares every table by its COPY text, sorted, as seen by two superusers. */
    void assertEqual(Endpoint source, Endpoint target) throws Exception {
        assertThat(contents(target)).isEqualTo(contents(source));
    }

    private Map<String, List<String>> contents(Endpoint endpoint) throws Exception {
        Map<String, List<String>> contents = new TreeMap<>();
        try (Connection connection = Sessions.open(migration, endpoint, "test")) {
            for (Catalog.Table table : Catalog.selected(connection, migration)) {
                CopyLines out = new CopyLines();
                String columns = table.columns().stream()
                        .map(c -> Identifiers.quote(c.name()))
                        .collect(Collectors.joining(", "));
                connection
                        .unwrap(PGConnection.class)
                        .getCopyAPI()
                        .copyOut(
                                "COPY (SELECT " + columns + " FROM ONLY "
                                        + table.id().quoted() + ") TO STDOUT",
                                out);
                contents.put(table.id().quoted(), out.sorted());
            }
        }
        return contents;
    }

    /** Runs statements as they are, each in a transaction of its own. */
    static void execute(Endpoint endpoint, List<String> statements) throws SQLException {
        try (Connection connection = DriverManager.getConnection(endpoint.url(), endpoint.user(), endpoint.password());
                Statement statement = connection.createStatement()) {
            statement.setEscapeProcessing(false);
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    @Override
    public void close() {
        services.close();
    }
}
