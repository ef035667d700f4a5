package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every type's edge values through the whole pipeline: by load, insert, update, delete, as key and in a table without a key. */
@EveryThirdDay(2)
final class TypesEndToEndTest {
    /** Characters that a URL, libpq and SQL each read in another way. */
    private static final String ODD_NAME = "Typen/%41 +?&='\"\\é";

    /** Each of these settings alters the text of values, or its meaning, in a session that does not pin it. */
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
     * The worst value of every other setting that a session depends on; for the applications' sessions these settings stay
     * unchanged.
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
            "tcp_keepalives_idle = 32767",
            "tcp_keepalives_interval = 32767",
            "tcp_keepalives_count = 127",
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
            "escape_string_warning = on",
            "client_encoding = 'LATIN1'",
            "lc_numeric = 'POSIX'",
            "lc_time = 'POSIX'",
            "synchronous_commit = off",
            "gin_fuzzy_search_limit = 1",
            "exit_on_error = on",
            "restrict_nonsystem_relation_kind = 'view, foreign-table'",
            "client_min_messages = 'debug5'");

    /** ALTER SYSTEM checks that these objects exist, ALTER ROLE does not. */
    private static final Set<String> REFUSED_FOR_SERVER =
            Set.of("default_table_access_method", "default_tablespace", "temp_tablespaces");

    /** The extremes; {@link VersionMatrixTest} runs all pairs. */
    @Test
    void everyTypeArrivesAsItsOwnTextThoughEachSettingOfRoleDatabaseAndServerHasItsWorstValue() throws Exception {
        migrate(10, 18);
    }

    static void migrate(int source, int target) throws Exception {
        Path scripts = Path.of(TypesEndToEndTest.class.getResource("/types").toURI());
        try (ServerPair servers = new ServerPair(source, target);
                MigrationFixture migration =
                        MigrationFixture.between(servers, "types-" + source + "-" + target, ODD_NAME)) {
            migration.psql(scripts.resolve("types.sql"));
            for (Endpoint endpoint : List.of(
                    migration.migration().source(), migration.migration().target())) {
                assertEveryPinHasAWorstValue(migration, endpoint);
            }
            makeHostile(migration, servers.source(), migration.migration().source());
            makeHostile(migration, servers.target(), migration.migration().target());
            migration.startAll();
            migration.awaitSlot();
            migration.psqlAsSuperuser(scripts.resolve("changes.sql"));
            migration.awaitState(State.IN_SYNC);
            migration.psqlAsSuperuser(scripts.resolve("changes.sql"));
            migration.cutOverAndCompare();
            for (Endpoint endpoint : List.of(
                    migration.migration().source(), migration.migration().target())) {
                // For pg_dump, which the test runs itself.
                migration.execute(endpoint, "ALTER ROLE " + endpoint.user() + " RESET ALL");
                migration.execute(endpoint, "ALTER SYSTEM RESET ALL");
                migration.execute(endpoint, "SELECT pg_reload_conf()");
            }
            migration.assertSchemasAreEqual();
        }
    }

    /** Without this check, a new setting that the product depends on would be tested with its best value. */
    private static void assertEveryPinHasAWorstValue(MigrationFixture migration, Endpoint endpoint)
            throws SQLException {
        Set<String> names = Stream.concat(HOSTILE.stream(), WORST.stream())
                .map(TypesEndToEndTest::name)
                .collect(Collectors.toSet());
        String pinned = migration.text(
                endpoint,
                "SELECT string_agg(lower(name), ' ') FROM pg_settings WHERE source = 'client'"
                        + " AND name <> 'application_name'");
        assertThat(names).contains(pinned.split(" "));
    }

    /**
     * For the applications, only the worst values of {@link #HOSTILE}, set first, as they could not work with the others. For
     * Wherry, the worst values of database, role and server: the role's override the database's, and these override the server's.
     */
    private static void makeHostile(MigrationFixture migration, PostgresServer server, Endpoint endpoint)
            throws SQLException {
        for (String setting : HOSTILE) {
            migration.execute(endpoint, "ALTER DATABASE " + Identifiers.quote(ODD_NAME) + " SET " + setting);
            migration.execute(endpoint, "ALTER SYSTEM SET " + setting);
        }
        for (String setting : WORST) {
            String name = name(setting);
            if (migration.number(
                            endpoint,
                            "SELECT count(*) FROM pg_settings WHERE context IN ('user', 'superuser') AND name = '"
                                    + name + "'")
                    == 0) {
                continue;
            }
            migration.executeAsSuperuser(server, "ALTER ROLE " + server.superuser() + " SET " + name + " FROM CURRENT");
            migration.execute(endpoint, "ALTER ROLE " + endpoint.user() + " SET " + setting);
            if (name.equals("transaction_timeout")) {
                // The server's own setting also ends the transaction of any login, Wherry's or not.
                migration.execute(endpoint, "ALTER SYSTEM SET transaction_timeout = '2s'");
            } else if (!REFUSED_FOR_SERVER.contains(name)) {
                migration.execute(endpoint, "ALTER SYSTEM SET " + setting);
            }
        }
        migration.execute(endpoint, "ALTER ROLE " + endpoint.user() + " SET role = 'pg_monitor'");
        migration.execute(endpoint, "SELECT pg_reload_conf()");
    }

    private static String name(String setting) {
        return setting.substring(0, setting.indexOf(' '));
    }
}
