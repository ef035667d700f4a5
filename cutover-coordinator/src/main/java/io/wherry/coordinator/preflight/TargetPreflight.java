package io.wherry.coordinator.preflight;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Finding.Severity;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.PoolerException;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.carry.ExtensionTables;
import io.wherry.coordinator.carry.LargeObjects;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import io.wherry.coordinator.verify.ForeignKeyChecks;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** What must hold on the target, and between both sides, before a migration starts. Changes nothing. */
public final class TargetPreflight {
    private static final String ROLES_OF_SOURCE = """
            SELECT r.rolname FROM pg_roles r WHERE r.rolname NOT LIKE 'pg\\_%' AND (
                EXISTS (SELECT FROM pg_shdepend d JOIN pg_database db ON db.oid = d.dbid
                         WHERE db.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid)
                OR EXISTS (SELECT FROM pg_shdepend d JOIN pg_database db ON db.oid = d.objid
                         WHERE db.datname = current_database() AND d.classid = 'pg_database'::regclass AND d.deptype = 'a'
                           AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid)
                OR EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database db ON db.oid = s.setdatabase
                         WHERE db.datname = current_database() AND s.setrole = r.oid)
                -- The first superuser is pinned: no dependency on it is recorded.
                OR r.oid = 10 AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE c.relowner = 10 AND n.nspname NOT LIKE 'pg\\_%'
                           AND n.nspname NOT IN ('information_schema', 'wherry')))
             ORDER BY 1
            """;
    /** Catalogs of older servers lack columns that these checks read; the source's own preflight refuses such servers. */
    private static final int OLDEST = 10;

    private static final String DATABASE_HAS_SETTINGS = """
            SELECT datacl IS NOT NULL OR shobj_description(oid, 'pg_database') IS NOT NULL
                   OR EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
              FROM pg_database d WHERE datname = current_database()
            """;
    private static final String SETTINGS_OF_DATABASE = """
            SELECT DISTINCT split_part(setting, '=', 1) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase,
                   unnest(s.setconfig) AS setting
             WHERE d.datname = current_database() AND split_part(setting, '=', 1) NOT LIKE '%.%' ORDER BY 1
            """;
    private static final String COLUMN_PARAMETERS = """
            SELECT DISTINCT split_part(parameter, '=', 1) FROM pg_attribute a, unnest(a.attoptions) AS parameter
             WHERE NOT a.attisdropped AND split_part(parameter, '=', 1) NOT IN ('n_distinct', 'n_distinct_inherited') ORDER BY 1
            """;

    private static final String SYSTEM =
            "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid FROM pg_database"
                    + " WHERE datname = current_database()";

    private final Flow flow;
    private final List<Finding> findings = new ArrayList<>();

    private TargetPreflight(Flow flow) {
        this.flow = flow;
    }

    /** All findings, not only the first. The coordinator may start if none is an ERROR. */
    public static List<Finding> check(Flow flow) {
        TargetPreflight preflight = new TargetPreflight(flow);
        try (Connection target = preflight.open(flow.to(), "target");
                Connection source = preflight.open(flow.from(), "source")) {
            if (source != null && target != null) {
                preflight.servers(source, target);
                if (ServerVersion.major(source) < OLDEST) {
                    return List.copyOf(preflight.findings);
                }
                preflight.databaseRights(source, target);
                if (flow.migration().schema() == TargetSchemaMode.CREATE) {
                    preflight.settings(source, target);
                }
                preflight.roles(source, target);
                if (!preflight.started(target)) {
                    preflight.findings.addAll(TargetRights.check(flow.migration(), source, target));
                    preflight.findings.addAll(ForeignKeyChecks.check(flow));
                    if (flow.migration().schema() == TargetSchemaMode.CREATE) {
                        preflight.findings.addAll(ExpressionChecks.check(flow));
                    }
                }
                preflight.fence(source);
                preflight.extensions(source, target);
                preflight.columnParameters(source);
                preflight.findings.addAll(TextChecks.check(source, target));
                preflight.tables(source, target);
            }
        } catch (SQLException e) {
            preflight.findings.add(Finding.error("preflight", e.getMessage(), "See the server's log"));
        }
        return List.copyOf(preflight.findings);
    }

    private Connection open(Endpoint endpoint, String side) {
        try {
            return Sessions.open(flow.migration(), endpoint, "check");
        } catch (PoolerException e) {
            findings.add(Finding.error(side + " " + endpoint, e.getMessage(), e.remedy(side + ".url")));
            return null;
        } catch (SQLException e) {
            String state = Sessions.isTlsProblem(e) ? "TLS" : String.valueOf(e.getSQLState());
            String remedy =
                    switch (state) {
                        case "28P01", "28000" -> "Check " + side + ".user and " + side + ".password, and pg_hba.conf";
                        case "3D000" -> "Create the database: CREATE DATABASE …, or correct " + side + ".url";
                        case "TLS" ->
                            "The server's certificate is refused: correct sslmode, sslrootcert or the host name in "
                                    + side + ".url";
                        case "53300" -> "Raise max_connections, or end idle sessions";
                        default ->
                            "Check " + side
                                    + ".url, that the server runs, and that the server accepts connections from this machine";
                    };
            findings.add(Finding.error(side, "cannot connect to " + endpoint + ": " + e.getMessage(), remedy));
            return null;
        }
    }

    private void servers(Connection source, Connection target) throws SQLException {
        int from = ServerVersion.major(source);
        int to = ServerVersion.major(target);
        if (to < from) {
            error(
                    "target",
                    "has version " + to + ", older than the source's " + from,
                    "Use a target of version " + from + " or newer");
        }
        if (Queries.truth(target, "SELECT pg_is_in_recovery()")) {
            error("target", "is a standby and cannot be written", "Give the primary's address in target.url");
        }
        if (Queries.string(source, SYSTEM).equals(Queries.string(target, SYSTEM))) {
            error("target", "is the same database as the source", "Give another database in target.url");
        }
        try {
            PostgresTools.locate(Math.max(from, to));
        } catch (RuntimeException e) {
            error(
                    "pg_dump",
                    "no installed version can read versions " + from + " and " + to + ": " + e.getMessage(),
                    "Install postgresql-client-" + Math.max(from, to));
        }
    }

    private void databaseRights(Connection source, Connection target) throws SQLException {
        if (flow.migration().schema() == TargetSchemaMode.CREATE
                && Queries.truth(source, DATABASE_HAS_SETTINGS)
                && !Queries.truth(
                        target,
                        "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()")) {
            error(
                    "target",
                    "role " + flow.to().user()
                            + " may not give the database the source's settings and grants (ALTER DATABASE … SET, GRANT … ON DATABASE)",
                    "ALTER DATABASE … OWNER TO " + Identifiers.quote(flow.to().user()));
        }
    }

    /** Reports now why a cutover would be refused, while there is time to fix that. */
    private void fence(Connection source) throws SQLException {
        Fence.Plan plan = Fence.plan(
                source,
                flow.migration().cutover().fence(),
                flow.migration().cutover().fenceExcept());
        plan.obstacles()
                .forEach(obstacle -> findings.add(Finding.warning("cutover", "would be refused: " + obstacle, "")));
        plan.subscriptions()
                .forEach(
                        name -> findings.add(
                                Finding.warning(
                                        "subscription " + name,
                                        "writes into the source: the cutover disables it, and an abort enables it again",
                                        "Subscriptions are not carried: after the cutover CREATE SUBSCRIPTION on the target, if it is still needed")));
    }

    /** Settings that a newer server no longer has would otherwise fail only in the cutover. */
    private void settings(Connection source, Connection target) throws SQLException {
        List<String> unknown = new ArrayList<>(Queries.strings(source, SETTINGS_OF_DATABASE));
        unknown.removeAll(Databases.settings(target));
        for (String setting : unknown) {
            error(
                    "setting " + setting,
                    "is set for the source's database and is not known to the target",
                    "ALTER DATABASE " + Identifiers.quote(source.getCatalog()) + " RESET " + setting
                            + " on the source (or ALTER ROLE … IN DATABASE …)");
        }
    }

    private void roles(Connection source, Connection target) throws SQLException {
        RoleMap roles = new RoleMap(flow.migration().roleMap());
        List<String> known = Queries.strings(target, "SELECT rolname FROM pg_roles");
        for (String role : Queries.strings(source, ROLES_OF_SOURCE)) {
            if (!known.contains(roles.role(role))) {
                error(
                        "role " + roles.role(role),
                        (roles.role(role).equals(role) ? "" : "replaces " + role + ", which ")
                                + "owns or may use objects of the source, and is missing on the target",
                        "CREATE ROLE " + Identifiers.quote(roles.role(role))
                                + ", or map this role to another one in target.role-map");
            }
        }
    }

    private void extensions(Connection source, Connection target) throws SQLException {
        List<String> missing = new ArrayList<>(Queries.strings(source, "SELECT extname FROM pg_extension ORDER BY 1"));
        missing.removeAll(Queries.strings(target, "SELECT name FROM pg_available_extensions"));
        for (String extension : missing) {
            error(
                    "extension " + extension,
                    "is not available on the target",
                    "Install the extension's package on the target's server");
        }
    }

    private void columnParameters(Connection source) throws SQLException {
        for (String parameter : Queries.strings(source, COLUMN_PARAMETERS)) {
            findings.add(
                    Finding.info(
                            "column parameter " + parameter,
                            "is set on the source, is not a parameter of PostgreSQL, and is left out if the target's server does not know it"));
        }
    }

    private void tables(Connection source, Connection target) throws SQLException {
        List<String> names = TargetTables.exists(target, "wherry.migration")
                ? Queries.strings(target, "SELECT name FROM wherry.migration")
                : List.of();
        List<String> others =
                names.stream().filter(n -> !n.equals(flow.migration().name())).toList();
        if (!others.isEmpty()) {
            error(
                    "target",
                    "belongs to another migration, " + String.join(", ", others),
                    "Complete or abort that migration, then DROP SCHEMA wherry CASCADE");
        }
        if (!started(target)) {
            findings.addAll(TargetTables.check(flow, source, target));
            findings.addAll(new ExtensionTables(flow).check(source, target));
            if (!LargeObjects.none(target)) {
                error(
                        "large objects",
                        "exist on the target already",
                        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata on the target, if they are not needed");
            }
        }
    }

    private boolean started(Connection target) throws SQLException {
        return TargetTables.exists(target, "wherry.journal")
                && Queries.truth(target, "SELECT EXISTS (SELECT FROM wherry.journal)");
    }

    private void error(String object, String problem, String remedy) {
        findings.add(new Finding(Severity.ERROR, object, problem, remedy));
    }
}
