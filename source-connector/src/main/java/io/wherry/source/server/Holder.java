package io.wherry.source.server;

import io.wherry.contract.name.Identifiers;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * A session, or a prepared transaction, that others wait for on the source.
 *
 * @param pid of its backend; 0 for a prepared transaction
 * @param role it acts for; null when it is a process of the server, or not known
 * @param application its {@code application_name}; null when our role may not see it
 * @param state {@code active}, {@code idle in transaction} …; null when our role may not see it
 * @param transactionSeconds age of its transaction; null when our role may not see it
 * @param statementSeconds age of its statement, or since when it is idle; null when our role may not see it
 * @param prepared name of the prepared transaction; else null
 * @param database of the prepared transaction, when it is not the migration's; else null
 * @param tables that it has written to, as text; null when not known
 */
public record Holder(
        int pid,
        String role,
        String application,
        String state,
        Long transactionSeconds,
        Long statementSeconds,
        String prepared,
        String database,
        String tables) {
    /** The columns that {@link #read} takes, of {@code pg_stat_activity a} and {@code pg_prepared_xacts x}. */
    static final String COLUMNS = """
            coalesce(a.usename, x.owner)::text AS role, a.application_name, a.state,
                   extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, x.prepared))::bigint AS transaction_seconds,
                   extract(epoch FROM clock_timestamp() - CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END
                   )::bigint AS statement_seconds, x.gid AS prepared, nullif(x.database, current_database()) AS elsewhere
            """;

    /**
     * Prepared transactions with what {@code pg_locks} calls them: that of the session that prepared them, and after a restart another. They hold a
     * lock on their own number as well, whose line has both.
     */
    static final String PREPARED = """
            (SELECT p.*, n.virtualtransaction FROM pg_prepared_xacts p LEFT JOIN pg_locks n ON n.locktype = 'transactionid'
                AND n.granted AND n.pid IS NULL AND n.transactionid = p.transaction)
            """;

    static Holder read(ResultSet row, int pid, String tables) throws SQLException {
        return new Holder(
                pid,
                row.getString("role"),
                row.getString("application_name"),
                row.getString("state"),
                row.getObject("transaction_seconds", Long.class),
                row.getObject("statement_seconds", Long.class),
                row.getString("prepared"),
                row.getString("elsewhere"),
                tables);
    }

    /** Whether it will hardly end within the moment that we wait for it. */
    boolean isOld() {
        return prepared != null || transactionSeconds != null && transactionSeconds >= 1;
    }

    /** An automatic VACUUM or ANALYZE; the server ends it for whoever waits, but only after {@code deadlock_timeout}. */
    boolean isVacuum() {
        return prepared == null && role == null;
    }

    /** Who it is, and how to end it. */
    public String text() {
        if (prepared != null) {
            return "the prepared transaction " + Identifiers.literal(prepared) + " (role " + role
                    + ", prepared " + age(transactionSeconds) + " ago" + written()
                    + "). End it" + (database == null ? "" : " in database " + Identifiers.quote(database))
                    + ": COMMIT PREPARED " + Identifiers.literal(prepared) + " or ROLLBACK PREPARED "
                    + Identifiers.literal(prepared);
        }
        if (pid == 0) {
            return "a prepared transaction (SELECT * FROM pg_prepared_xacts)";
        }
        List<String> said = new ArrayList<>();
        said.add(role == null ? "a process of the server, as autovacuum" : "role " + role);
        if (application != null && !application.isEmpty()) {
            said.add("application " + application);
        }
        if (state != null && statementSeconds != null) {
            said.add((state.equals("active") ? "its statement runs" : state) + " for " + age(statementSeconds));
        }
        if (transactionSeconds != null) {
            said.add("its transaction is " + age(transactionSeconds) + " old");
        } else if (role != null) {
            said.add("how long our role may not see: GRANT pg_monitor");
        }
        return "pid " + pid + " (" + String.join(", ", said) + written() + "). End it: SELECT pg_terminate_backend("
                + pid + ")";
    }

    private String written() {
        return tables == null ? "" : ", has written to " + tables;
    }

    private static String age(Long seconds) {
        if (seconds == null) {
            return "some time";
        }
        return seconds < 120 ? Math.max(0, seconds) + " s" : seconds / 60 + " min";
    }
}
