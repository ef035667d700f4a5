package io.wherry.source.server;

import io.wherry.contract.name.Identifiers;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * A session, or a prepared transaction, for which other sessions wait on the source.
 *
 * @param pid of the backend; 0 = a prepared transaction
 * @param role of the session; null = a server process, or not known
 * @param application its {@code application_name}; null = Wherry's role may not see it
 * @param state {@code active}, {@code idle in transaction} …; null = Wherry's role may not see it
 * @param transactionSeconds age of the transaction; null = Wherry's role may not see it
 * @param statementSeconds age of the statement, or time since the session is idle; null = Wherry's role may not see it
 * @param prepared name of the prepared transaction; else null
 * @param database of the prepared transaction, if it is not the migration's; else null
 * @param tables to which the transaction has written, as text; null = not known
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
    /** The columns that {@link #read} needs, from {@code pg_stat_activity a} and {@code pg_prepared_xacts x}. */
    static final String COLUMNS = """
            coalesce(a.usename, x.owner)::text AS role, a.application_name, a.state,
                   extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, x.prepared))::bigint AS transaction_seconds,
                   extract(epoch FROM clock_timestamp() - CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END
                   )::bigint AS statement_seconds, x.gid AS prepared, nullif(x.database, current_database()) AS elsewhere
            """;

    /**
     * Prepared transactions with their virtual transaction in {@code pg_locks}: that of the session that prepared them, and after a
     * restart another one. A prepared transaction also holds a lock on its own number, and the row of this lock has both numbers.
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

    /** Whether the transaction will probably not end within the short time that Wherry waits. */
    boolean isOld() {
        return prepared != null || transactionSeconds != null && transactionSeconds >= 1;
    }

    /** Whether it is an automatic VACUUM or ANALYZE. The server ends it if a session waits longer than {@code deadlock_timeout}. */
    boolean isVacuum() {
        return prepared == null && role == null;
    }

    /** What it is, and how to end it. */
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
        said.add(role == null ? "a server process, such as autovacuum" : "role " + role);
        if (application != null && !application.isEmpty()) {
            said.add("application " + application);
        }
        if (state != null && statementSeconds != null) {
            said.add((state.equals("active") ? "its statement runs" : state) + " for " + age(statementSeconds));
        }
        if (transactionSeconds != null) {
            said.add("its transaction is " + age(transactionSeconds) + " old");
        } else if (role != null) {
            said.add("Wherry's role may not see how long: GRANT pg_monitor");
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
