package io.wherry.coordinator.fence;

import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** The rights that Wherry's role lacks on the source to keep every other role out, and their remedies. A superuser lacks nothing. */
final class FenceRights {
    private static final String ROLES =
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolcanlogin AND rolname <> current_user"
                    + " AND rolname <> ALL (?) AND ";

    private FenceRights() {}

    /** @param except roles that need not be kept out */
    static List<String> missing(Connection source, FenceMode mode, String[] except) throws SQLException {
        List<String> missing = new ArrayList<>();
        boolean superuser = Queries.superuser(source);
        List<String> superusers = Queries.strings(source, ROLES + "rolsuper ORDER BY 1", (Object) except);
        if (!superusers.isEmpty() && !(superuser && mode == FenceMode.NO_LOGIN)) {
            missing.add("superusers " + superusers + " can log in whatever "
                    + (superuser ? "CONNECT says" : "Wherry's role does")
                    + "; name the roles that are not in use during the cutover in cutover.fence.except, or use"
                    + (superuser ? "" : " a superuser and") + " cutover.fence.mode: no-login");
        }
        if (superuser) {
            return missing;
        }
        String role =
                Identifiers.quote(Queries.string(source, "SELECT current_user").orElseThrow());
        if (mode == FenceMode.NO_LOGIN) {
            noLogin(source, role, except, missing);
        } else {
            String owner = Queries.string(
                            source,
                            "SELECT pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = current_database()"
                                    + " AND NOT pg_has_role(datdba, 'USAGE')")
                    .orElse("");
            if (!owner.isEmpty()) {
                missing.add("Wherry's role may not revoke CONNECT, only the database's owner may; GRANT "
                        + Identifiers.quote(owner) + " TO " + role);
            }
        }
        subscriptions(source, role, missing);
        lacks(source, "pg_signal_backend", "end other roles' sessions", role, missing);
        lacks(source, "pg_read_all_stats", "see other roles' sessions", role, missing);
        return missing;
    }

    private static void noLogin(Connection source, String role, String[] except, List<String> missing)
            throws SQLException {
        if (!Queries.truth(source, "SELECT rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user")) {
            missing.add("Wherry's role may not set NOLOGIN; ALTER ROLE " + role
                    + " CREATEROLE, or use cutover.fence.mode: no-connect");
        }
        if (ServerVersion.major(source) >= 16) {
            Queries.strings(
                            source,
                            ROLES + "NOT rolsuper AND NOT pg_has_role(oid, 'MEMBER WITH ADMIN OPTION') ORDER BY 1",
                            (Object) except)
                    .forEach(other -> missing.add("Wherry's role may not alter role " + other + "; GRANT "
                            + Identifiers.quote(other) + " TO " + role + " WITH ADMIN OPTION"));
        } else {
            List<String> replicating =
                    Queries.strings(source, ROLES + "NOT rolsuper AND rolreplication ORDER BY 1", (Object) except);
            if (!replicating.isEmpty()) {
                missing.add("only a superuser may alter roles with REPLICATION, " + replicating
                        + "; name them in cutover.fence.except, or use cutover.fence.mode: no-connect");
            }
        }
    }

    private static void subscriptions(Connection source, String role, List<String> missing) throws SQLException {
        missing.addAll(Queries.list(
                source,
                row -> "Wherry's role may not disable subscription " + row.getString(1)
                        + ", which writes into the source; GRANT "
                        + Identifiers.quote(row.getString(2)) + " TO " + role
                        + ", or before the cutover ALTER SUBSCRIPTION " + Identifiers.quote(row.getString(1))
                        + " DISABLE",
                "SELECT subname, pg_get_userbyid(subowner) FROM pg_catalog.pg_subscription"
                        + " WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
                        + " AND subenabled AND NOT pg_has_role(subowner, 'USAGE') ORDER BY 1"));
    }

    private static void lacks(Connection source, String needed, String purpose, String role, List<String> missing)
            throws SQLException {
        if (!Queries.truth(source, "SELECT pg_has_role(?, 'USAGE')", needed)) {
            // A role that may see the sessions may also see the other statistics that status shows.
            String grant = needed.equals("pg_read_all_stats") ? "pg_monitor" : needed;
            missing.add("Wherry's role may not " + purpose + "; GRANT " + grant + " TO " + role);
        }
    }
}
