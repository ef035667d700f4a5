package io.wherry.rehearsal;

import io.wherry.contract.Endpoint;
import io.wherry.contract.Identifiers;
import io.wherry.coordinator.State;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every type's edge values through the whole pipeline: by load, insert, update, delete, as key and in a table without one. */
final class TypesEndToEndTest {
    /** Each of these alters the text of values, or its meaning, in a session that does not pin it. */
    private static final List<String> HOSTILE = List.of(
            "bytea_output = 'escape'",
            "intervalstyle = 'sql_standard'",
            "extra_float_digits = -5",
            "datestyle = 'SQL, DMY'",
            "timezone = 'Asia/Kolkata'",
            "xmloption = 'document'",
            "standard_conforming_strings = off",
            "array_nulls = off",
            "quote_all_identifiers = on",
            "default_transaction_isolation = 'serializable'",
            "search_path = '\"My Schema\"'");

    /** The extremes and one pair in the middle; {@link VersionMatrixTest} runs all. */
    @ParameterizedTest(name = "{0} to {1}")
    @CsvSource({"10, 18", "11, 17", "18, 18"})
    void everyTypeArrivesAsItsOwnText(int source, int target) throws Exception {
        migrate(source, target);
    }

    static void migrate(int source, int target) throws Exception {
        Path scripts = Path.of(TypesEndToEndTest.class.getResource("/types").toURI());
        try (ServerPair servers = new ServerPair(source, target);
                MigrationFixture migration = MigrationFixture.between(servers, "types-" + source + "-" + target)) {
            migration.psql(scripts.resolve("types.sql"));
            makeHostile(migration, migration.migration().source());
            makeHostile(migration, migration.migration().target());
            migration.startAll();
            migration.awaitStreaming();
            migration.psql(scripts.resolve("changes.sql"));
            migration.awaitState(State.IN_SYNC);
            migration.psql(scripts.resolve("changes.sql"));
            migration.completeExactly();
        }
    }

    private static void makeHostile(MigrationFixture migration, Endpoint endpoint) throws SQLException {
        for (String setting : HOSTILE) {
            migration.execute(
                    endpoint,
                    "ALTER DATABASE " + Identifiers.quote(migration.migration().name()) + " SET " + setting);
        }
    }
}
