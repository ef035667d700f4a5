package io.wherry.coordinator.fence;

import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * Keeps every role but Wherry's, and every subscription, out of the source database, and lets exactly those in again. The plan is
 * stored before {@link #close}, so that a coordinator started elsewhere can {@link #open}. Roles belong to the whole server: {@code
 * NO_LOGIN} also keeps new logins out of its other databases.
 */
public final class Fence {
    private static final String OURS =
            "(usename = current_user AND application_name LIKE '" + Sessions.APPLICATION + "%')";
    // Without the right to see other roles' sessions, backend_type is NULL: those sessions count as clients.
    private static final String FOREIGN_SESSIONS =
            "SELECT pid, format('%s (%s, pid %s)', usename, application_name, pid)"
                    + " FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    + " AND coalesce(backend_type, 'client backend') = 'client backend' AND NOT coalesce(" + OURS
                    + ", false)";
    // Schedulers write without a client session. A subscription's worker has no transaction while it waits for
    // rows, and starts one when rows come: so each such worker counts while it lives.
    private static final String FOREIGN_WORKERS = """
            SELECT CASE WHEN backend_xid IS NULL THEN '' ELSE 'transaction of a ' END
                   || format('%s (pid %s)', backend_type, a.pid) || coalesce(' of subscription ' || s.subname, '')
              FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_stat_subscription s ON s.pid = a.pid
             WHERE datname = current_database() AND (backend_type LIKE 'logical replication %' OR backend_xid IS NOT NULL
               AND backend_type NOT IN ('client backend', 'walsender', 'autovacuum worker', 'parallel worker'))
            """;
    private static final String SUBSCRIPTIONS = "SELECT subname FROM pg_catalog.pg_subscription"
            + " WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())";
    private static final String PREPARED =
            "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()";
    private static final String LOGIN_ROLES = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolcanlogin"
            + " AND rolname <> current_user AND rolname <> ALL (?)";
    private static final String CONNECT_GRANTS = """
            SELECT g.rolname, a.is_grantable
              FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
              LEFT JOIN pg_roles g ON g.oid = a.grantee
             WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT'
               AND (a.grantee = 0 OR g.rolname <> current_user AND g.rolname <> ALL (?))
             ORDER BY 1
            """;

    private Fence() {}

    /**
     * What the fence changes, and so what must be restored.
     *
     * @param roles that may log in now and shall not
     * @param grants of CONNECT to be revoked
     * @param subscriptions that write into this database now and shall not
     * @param except roles that the operator has excepted; their sessions are not ended, but the cutover waits for them
     * @param obstacles why the fence cannot be closed, each with its remedy; empty = the fence can be closed
     */
    public record Plan(
            FenceMode mode,
            String database,
            List<String> roles,
            List<Grant> grants,
            List<String> subscriptions,
            List<String> except,
            List<String> obstacles) {
        public Plan {
            // A plan that an earlier version has written names no subscriptions.
            subscriptions = subscriptions == null ? List.of() : List.copyOf(subscriptions);
        }

        /** One line for each change. */
        public List<String> steps() {
            List<String> steps = new ArrayList<>();
            roles.forEach(role -> steps.add("source: " + alter(role, "NOLOGIN")));
            grants.forEach(grant -> steps.add("source: " + revoke(this, grant)));
            subscriptions.forEach(name -> steps.add("source: " + subscription(name, "DISABLE")));
            steps.add("source: end every other session in database " + database);
            except.forEach(role -> steps.add("not kept out, by cutover.fence.except: " + role));
            return steps;
        }

        /** Statements that let in again what {@link #close} keeps out, for an operator who must open the source by hand. */
        public List<String> opening() {
            List<String> statements = new ArrayList<>();
            roles.forEach(role -> statements.add(alter(role, "LOGIN")));
            grants.forEach(grant -> statements.add(grant(this, grant)));
            subscriptions.forEach(name -> statements.add(subscription(name, "ENABLE")));
            return statements;
        }
    }

    /** @param role null = PUBLIC */
    public record Grant(String role, boolean grantable) {}

    public static Plan plan(Connection source, FenceMode mode, List<String> except) throws SQLException {
        String database = Queries.string(source, "SELECT current_database()").orElseThrow();
        String[] left = except.toArray(String[]::new);
        List<String> roles = List.of();
        List<Grant> grants = List.of();
        if (mode == FenceMode.NO_LOGIN) {
            roles = Queries.strings(source, LOGIN_ROLES + " ORDER BY 1", (Object) left);
        } else {
            grants = Queries.list(
                    source, row -> new Grant(row.getString(1), row.getBoolean(2)), CONNECT_GRANTS, (Object) left);
        }
        List<String> obstacles = FenceRights.missing(source, mode, left);
        List<String> subscriptions = Queries.strings(source, SUBSCRIPTIONS + " AND subenabled ORDER BY 1");
        return new Plan(mode, database, roles, grants, subscriptions, List.copyOf(except), obstacles);
    }

    /** Keeps the roles out: all of them or, if one role cannot be changed, none. */
    public static void close(Connection source, Plan plan) throws SQLException {
        inOneTransaction(source, () -> {
            for (String role : plan.roles()) {
                Queries.execute(source, alter(role, "NOLOGIN"));
            }
            if (plan.mode() == FenceMode.NO_CONNECT) {
                // Wherry's role may have connected by PUBLIC's grant.
                Queries.execute(
                        source, "GRANT CONNECT ON DATABASE " + Identifiers.quote(plan.database()) + " TO CURRENT_USER");
            }
            for (Grant grant : plan.grants()) {
                Queries.execute(source, revoke(plan, grant));
            }
            for (String name : plan.subscriptions()) {
                Queries.execute(source, subscription(name, "DISABLE"));
            }
            if (plan.mode() == FenceMode.NO_CONNECT) {
                requireRevoked(source, plan);
            }
        });
    }

    // The server only warns a role that may not revoke.
    private static void requireRevoked(Connection source, Plan plan) throws SQLException {
        String[] except = plan.except().toArray(String[]::new);
        List<String> left =
                Queries.list(source, row -> String.valueOf(row.getString(1)), CONNECT_GRANTS, (Object) except);
        if (!left.isEmpty()) {
            throw new SQLException("CONNECT on database " + plan.database() + " could not be revoked from " + left
                    + " (null = PUBLIC). Wherry's role must own the database");
        }
    }

    /**
     * Lets in again what {@link #close} kept out. May be called any number of times; roles and subscriptions that were dropped in
     * the meantime are skipped.
     */
    public static void open(Connection source, Plan plan) throws SQLException {
        List<String> roles = Queries.strings(source, "SELECT rolname FROM pg_catalog.pg_roles");
        List<String> subscriptions = Queries.strings(source, SUBSCRIPTIONS);
        inOneTransaction(source, () -> {
            for (String role : plan.roles()) {
                if (roles.contains(role)) {
                    Queries.execute(source, alter(role, "LOGIN"));
                }
            }
            for (Grant grant : plan.grants()) {
                if (grant.role() == null || roles.contains(grant.role())) {
                    Queries.execute(source, grant(plan, grant));
                }
            }
            for (String name : plan.subscriptions()) {
                if (subscriptions.contains(name)) {
                    Queries.execute(source, subscription(name, "ENABLE"));
                }
            }
        });
    }

    /** Ends foreign client sessions; they roll back. */
    public static void endSessions(Connection source, Plan plan) throws SQLException {
        Queries.strings(
                source,
                "SELECT pg_terminate_backend(pid) FROM (" + FOREIGN_SESSIONS
                        + " AND usename <> ALL (?)) AS foreign_sessions",
                (Object) plan.except().toArray(String[]::new));
    }

    /** Foreign client sessions, as text for people. */
    static List<String> sessions(Connection source) throws SQLException {
        return Queries.list(source, row -> row.getString(2), FOREIGN_SESSIONS);
    }

    /** Everything that could still commit a foreign change: sessions, workers, prepared transactions. Empty = fenced. */
    public static List<String> remaining(Connection source) throws SQLException {
        List<String> remaining = new ArrayList<>();
        sessions(source).forEach(session -> remaining.add("session of " + session));
        Queries.strings(source, FOREIGN_WORKERS).forEach(worker -> remaining.add(worker));
        Queries.strings(source, PREPARED)
                .forEach(gid -> remaining.add("prepared transaction " + Identifiers.literal(gid)));
        return remaining;
    }

    private static String alter(String role, String option) {
        return "ALTER ROLE " + Identifiers.quote(role) + " " + option;
    }

    private static String subscription(String name, String option) {
        return "ALTER SUBSCRIPTION " + Identifiers.quote(name) + " " + option;
    }

    private static String revoke(Plan plan, Grant grant) {
        return "REVOKE CONNECT ON DATABASE " + Identifiers.quote(plan.database()) + " FROM " + grantee(grant)
                + " CASCADE";
    }

    private static String grant(Plan plan, Grant grant) {
        return "GRANT CONNECT ON DATABASE " + Identifiers.quote(plan.database()) + " TO " + grantee(grant)
                + (grant.grantable() ? " WITH GRANT OPTION" : "");
    }

    private static String grantee(Grant grant) {
        return grant.role() == null ? "PUBLIC" : Identifiers.quote(grant.role());
    }

    private interface Changes {
        void make() throws SQLException;
    }

    private static void inOneTransaction(Connection source, Changes changes) throws SQLException {
        source.setAutoCommit(false);
        try {
            changes.make();
            source.commit();
        } finally {
            source.rollback();
            source.setAutoCommit(true);
        }
    }
}
