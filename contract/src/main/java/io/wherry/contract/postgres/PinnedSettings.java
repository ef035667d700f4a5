package io.wherry.contract.postgres;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Every setting that one of Wherry's sessions depends on, pinned in every kind of session (Wherry's own, the replication
 * protocol's, Debezium's, the client programs'), whatever role, database or server configure.
 *
 * <p>The settings are start-up options. Neither {@code ALTER ROLE/DATABASE … SET} nor {@code DISCARD ALL} overrides these, and
 * they are in force before the first statement: a {@code SET} would come too late for {@code transaction_timeout = '1ms'}.
 */
final class PinnedSettings {
    private static final int FIRST = 0;
    private static final int EVER = Integer.MAX_VALUE;

    /**
     * @param since first major version that knows the setting
     * @param until first major version that no longer knows it
     * @param privileged whether only a superuser may set it, or (from 15 on) a role with the right to
     */
    private record Pin(String name, String value, int since, int until, boolean privileged) {
        boolean exists(int major) {
            return since <= major && major < until;
        }

        String option() {
            return "-c " + name + "=" + value.replace(" ", "\\ ");
        }
    }

    private static final List<Pin> PINS = List.of(
            // The text of values, and what a text means as a value.
            pin("timezone", "UTC"),
            pin("datestyle", "ISO,MDY"),
            pin("intervalstyle", "postgres"),
            pin("extra_float_digits", "3"),
            pin("bytea_output", "hex"),
            pin("lc_monetary", "C"),
            pin("lc_numeric", "C"),
            pin("lc_time", "C"),
            pin("xmloption", "content"),
            pin("xmlbinary", "base64"),
            pin("array_nulls", "on"),
            // The meaning of statements and names.
            pin("search_path", "pg_catalog"),
            pin("quote_all_identifiers", "off"),
            pin("standard_conforming_strings", "on"),
            pin("backslash_quote", "safe_encoding"),
            pin("escape_string_warning", "off"),
            pin("transform_null_equals", "off"),
            pin("gin_fuzzy_search_limit", "0"),
            pin("row_security", "off"),
            // Without this, materialized views that read views would be refused. Older servers know it only from some
            // minor version on.
            new Pin("restrict_nonsystem_relation_kind", "", 17, EVER, false),
            pin("client_min_messages", "notice"),
            pin("exit_on_error", "off"),
            // The role of a session is the one that logged in, never one that a setting puts in its place: the fence
            // decides by role.
            pin("role", "none"),
            // New objects: functions whose bodies name objects that do not exist yet, tables in the tablespace where
            // they belong.
            pin("check_function_bodies", "off"),
            pin("default_tablespace", ""),
            pin("temp_tablespaces", ""),
            new Pin("default_table_access_method", "heap", 12, EVER, false),
            new Pin("default_with_oids", "off", FIRST, 12, false),
            // Transactions. A checkpoint that Wherry reports is durable, and so is everything that was committed
            // before it.
            pin("default_transaction_isolation", "read committed"),
            pin("default_transaction_read_only", "off"),
            pin("default_transaction_deferrable", "off"),
            pin("synchronous_commit", "on"),
            new Pin("session_replication_role", "origin", FIRST, EVER, true),
            // Damaged pages must fail the load: if they were skipped, their rows would be lost silently.
            new Pin("zero_damaged_pages", "off", FIRST, EVER, true),
            new Pin("ignore_checksum_failure", "off", FIRST, EVER, true),
            // Time limits: a snapshot is held for as long as the load takes, a lock for as long as a service lives.
            pin("statement_timeout", "0"),
            pin("lock_timeout", "0"),
            pin("idle_in_transaction_session_timeout", "0"),
            new Pin("idle_session_timeout", "0", 14, EVER, false),
            new Pin("transaction_timeout", "0", 17, EVER, false),
            new Pin("wal_sender_timeout", "60s", 12, EVER, false),
            // The server ends the session of a client that has vanished after a minute, and with it the session's
            // locks and snapshot. Not by tcp_user_timeout: that also ends the session of a client that reads slowly.
            pin("tcp_keepalives_idle", "30"),
            pin("tcp_keepalives_interval", "10"),
            pin("tcp_keepalives_count", "3"),
            new Pin("tcp_user_timeout", "0", 12, EVER, false));

    private PinnedSettings() {}

    private static Pin pin(String name, String value) {
        return new Pin(name, value, FIRST, EVER, false);
    }

    /** Start-up options that every version accepts from every role. */
    static String options() {
        return text(PINS.stream()
                .filter(pin -> pin.since() == FIRST && pin.until() == EVER && !pin.privileged())
                .toList());
    }

    /** Start-up options of a server. */
    static String options(int major, boolean privileged) {
        return text(of(major, privileged));
    }

    private static List<Pin> of(int major, boolean privileged) {
        return PINS.stream()
                .filter(pin -> pin.exists(major) && (privileged || !pin.privileged()))
                .toList();
    }

    private static String text(List<Pin> pins) {
        return pins.stream().map(Pin::option).collect(Collectors.joining(" "));
    }

    /**
     * Names of pinned settings that a session has neither from its own options nor from the driver's {@code SET}. A session
     * through a pooler may lack them.
     */
    static List<String> notInForce(Connection session, int major) throws SQLException {
        String query = "SELECT name FROM pg_catalog.pg_settings"
                + " WHERE source NOT IN ('client', 'session') AND pg_catalog.lower(name) = ANY (?) ORDER BY name";
        try (PreparedStatement statement = session.prepareStatement(query)) {
            statement.setArray(
                    1,
                    session.createArrayOf(
                            "text", of(major, false).stream().map(Pin::name).toArray()));
            List<String> names = new ArrayList<>();
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    names.add(row.getString(1));
                }
            }
            return names;
        }
    }

    /** Whether the role may set privileged settings: as a superuser, or because the right was granted to the role. */
    static boolean maySetPrivileged(Connection session, int major) throws SQLException {
        String granted = major < 15
                ? "false"
                : PINS.stream()
                        .filter(Pin::privileged)
                        .map(pin -> "pg_catalog.has_parameter_privilege('" + pin.name() + "', 'SET')")
                        .collect(Collectors.joining(" AND "));
        try (PreparedStatement statement = session.prepareStatement(
                        "SELECT rolsuper OR " + granted + " FROM pg_catalog.pg_roles WHERE rolname = session_user");
                ResultSet row = statement.executeQuery()) {
            row.next();
            return row.getBoolean(1);
        }
    }
}
