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
    /** Characters that a URL, libpq and SQL would each read in another way. */
    private static final String ODD_NAME = "Typen/%41 +?&='\"\\é";

    /** Each of these alters the text of values, or its meaning, in a session that does not pin it. */
    private static final List<String> HOSTILE = List.of(
            "bytea_output = 'escape'",
            "intervalstyle = 'sql_standard'",
            "extra_float_digits = -5",
            "datestyle = 'SQL, DMY'",
            "timezone = 'Asia/Kolkata'",
            "xmloption = 'document'",
            "xmlbinary = 'hex'",
            "standard_conforming_strings = off",
            "array_nulls = off",
            "quote_all_identifiers = on",
            "default_transaction_isolation = 'serializable'",
            "transform_null_equals = on",
            "lc_monetary = 'POSIX'",
            "search_path = '\"My Schema\"'");

    /**
     * The worst value of what else a session depends on, for our role: these beat those of the database and the server. Each that the
     * server knows; the rest of such settings is for the database, as an application's would be.
     */
    private static final List<String> WORST = List.of(
            "session_replication_role = 'replica'",
            "zero_damaged_pages = on",
            "ignore_checksum_failure = on",
            "statement_timeout = 1",
            "lock_timeout = 1",
            "idle_in_transaction_session_timeout = 1",
            "idle_session_timeout = 1",
            "transaction_timeout = 1",
            "wal_sender_timeout = '1ms'",
            "tcp_user_timeout = 1",
            "default_transaction_read_only = on",
            "default_transaction_deferrable = on",
            "row_security = on",
            "check_function_bodies = on",
            "default_table_access_method = 'nowhere'",
            "default_tablespace = 'nowhere'",
            "temp_tablespaces = 'nowhere'",
            "default_with_oids = on",
            "backslash_quote = off",
            "client_encoding = 'LATIN1'",
            "lc_numeric = 'POSIX'",
            "lc_time = 'POSIX'",
            "synchronous_commit = off",
            "gin_fuzzy_search_limit = 1",
            "exit_on_error = on",
            "client_min_messages = 'debug5'");

    /** The extremes and one pair in the middle; {@link VersionMatrixTest} runs all. */
    @ParameterizedTest(name = "{0} to {1}")
    @CsvSource({"10, 18", "11, 17", "18, 18"})
    void everyTypeArrivesAsItsOwnTextThoughEachSettingOfRoleAndDatabaseHasItsWorstValue(int source, int target)
            throws Exception {
        migrate(source, target);
    }

    static void migrate(int source, int target) throws Exception {
        Path scripts = Path.of(TypesEndToEndTest.class.getResource("/types").toURI());
        try (ServerPair servers = new ServerPair(source, target);
                MigrationFixture migration =
                        MigrationFixture.between(servers, "types-" + source + "-" + target, ODD_NAME)) {
            migration.psql(scripts.resolve("types.sql"));
            for (Endpoint endpoint : List.of(
                    migration.migration().source(), migration.migration().target())) {
                makeHostile(migration, endpoint);
            }
            migration.startAll();
            migration.awaitStreaming();
            migration.psqlAsSuperuser(scripts.resolve("changes.sql"));
            migration.awaitState(State.IN_SYNC);
            migration.psqlAsSuperuser(scripts.resolve("changes.sql"));
            migration.cutOverAndCompare();
            for (Endpoint endpoint : List.of(
                    migration.migration().source(), migration.migration().target())) {
                // For pg_dump, which the test runs itself.
                migration.execute(endpoint, "ALTER ROLE " + endpoint.user() + " RESET ALL");
            }
            migration.assertSchemasAreEqual();
        }
    }

    private static void makeHostile(MigrationFixture migration, Endpoint endpoint) throws SQLException {
        for (String setting : HOSTILE) {
            migration.execute(endpoint, "ALTER DATABASE " + Identifiers.quote(ODD_NAME) + " SET " + setting);
        }
        for (String setting : WORST) {
            String name = setting.substring(0, setting.indexOf(' '));
            if (migration.number(
                            endpoint,
                            "SELECT count(*) FROM pg_settings WHERE context IN ('user', 'superuser') AND name = '"
                                    + name + "'")
                    == 1) {
                migration.execute(endpoint, "ALTER ROLE " + endpoint.user() + " SET " + setting);
            }
        }
    }
}
