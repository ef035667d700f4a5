package io.wherry.coordinator.preflight;

import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** The rights that Wherry's role lacks on the target, each with the statement that grants it. A superuser lacks nothing. */
final class TargetRights {
    // Not in the dump: objects of extensions, Wherry's own state, and publications (those of the source stay
    // unchanged).
    private static final String OWNERS = """
            SELECT DISTINCT r.rolname, r.rolsuper FROM pg_roles r WHERE EXISTS (
                SELECT FROM pg_shdepend d JOIN pg_database db ON db.oid = d.dbid AND db.datname = current_database()
                 WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
                   AND d.classid <> 'pg_publication'::regclass AND NOT EXISTS (SELECT FROM pg_depend e
                        WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e'))
                -- The first superuser is pinned: no dependency on it is recorded.
                OR r.oid = 10 AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE c.relowner = 10 AND n.nspname NOT LIKE 'pg\\_%'
                           AND n.nspname NOT IN ('information_schema', 'wherry')
                           AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                                              AND e.objid = c.oid AND e.deptype = 'e'))
             ORDER BY 1
            """;
    private static final String OWNERS_OF_SCHEMAS =
            "SELECT DISTINCT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'"
                    + " AND nspname NOT IN ('information_schema', 'public', 'wherry') ORDER BY 1";
    private static final String FOR_SUPERUSERS = """
            SELECT 'event trigger ' || evtname FROM pg_event_trigger
             WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_event_trigger'::regclass AND objid = oid AND deptype = 'e')
            UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
             WHERE NOT l.lanpltrusted AND p.oid >= 16384
               AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
            UNION ALL SELECT 'foreign data wrapper ' || fdwname FROM pg_foreign_data_wrapper w
             WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_foreign_data_wrapper'::regclass AND objid = w.oid
                                  AND deptype = 'e')
            UNION ALL SELECT 'publication ' || pubname || ' for all tables' FROM pg_publication WHERE puballtables
             ORDER BY 1
            """;

    private final Migration migration;
    private final Connection target;
    private final String role;
    private final RoleMap roles;
    private final List<Finding> findings = new ArrayList<>();

    private TargetRights(Migration migration, Connection target) throws SQLException {
        this.migration = migration;
        this.target = target;
        this.roles = new RoleMap(migration.roleMap());
        this.role =
                Identifiers.quote(Queries.string(target, "SELECT current_user").orElseThrow());
    }

    static List<Finding> check(Migration migration, Connection source, Connection target) throws SQLException {
        TargetRights rights = new TargetRights(migration, target);
        if (!Queries.superuser(target)) {
            rights.database();
            rights.replicationRole();
            if (migration.schema() == TargetSchemaMode.CREATE) {
                rights.publicSchema();
                rights.owners(source);
                rights.ownersOfSchemas(source);
                rights.extensions(source);
                Queries.strings(source, FOR_SUPERUSERS)
                        .forEach(object -> rights.error(
                                object,
                                "can only be created by a superuser",
                                "Drop it on the source, or use a superuser in target.user"));
            } else {
                rights.existingTables(source);
            }
        }
        return rights.findings;
    }

    private void database() throws SQLException {
        String database = Identifiers.quote(target.getCatalog());
        if (!Queries.truth(target, "SELECT has_database_privilege(current_database(), 'CREATE')")) {
            error(
                    "target",
                    "role " + role + " may not create schemas",
                    "GRANT CREATE ON DATABASE " + database + " TO " + role);
        }
    }

    private void replicationRole() throws SQLException {
        if (!Queries.maySetReplicationRole(target)) {
            findings.add(Finding.warning(
                    "target",
                    "role " + role + " may not set session_replication_role; triggers and foreign keys"
                            + " are created only at the cutover, as always, and existing tables must have none",
                    "GRANT SET ON PARAMETER session_replication_role TO " + role + " (from 15 on)"));
        }
    }

    /** The dump sets the schema's grants, which only the schema's owner may set. */
    private void publicSchema() throws SQLException {
        Queries.string(
                        target,
                        "SELECT pg_get_userbyid(CASE WHEN pg_get_userbyid(nspowner) = 'pg_database_owner' THEN"
                                + " (SELECT datdba FROM pg_database WHERE datname = current_database()) ELSE nspowner END)"
                                + " FROM pg_namespace WHERE nspname = 'public' AND NOT pg_has_role(nspowner, 'USAGE')")
                .ifPresent(owner -> error(
                        "schema public",
                        "belongs to " + owner + " on the target, so role " + role + " may not set its rights",
                        "GRANT " + Identifiers.quote(owner) + " TO " + role + "; or ALTER SCHEMA public OWNER TO "
                                + role));
    }

    private record Owner(String name, boolean superuser) {}

    private void owners(Connection source) throws SQLException {
        for (Owner owner : Queries.list(source, row -> new Owner(row.getString(1), row.getBoolean(2)), OWNERS)) {
            String owning = roles.role(owner.name());
            if (!mayGiveTo(owning)) {
                error(
                        "role " + owning,
                        "owns objects of the source, and role " + role
                                + " may not give objects to this role on the target",
                        owner.superuser() && owning.equals(owner.name())
                                ? "This role is a superuser: on the source, give its objects to another role (ALTER … OWNER TO),"
                                        + " or use a superuser in target.user"
                                : grant(owning));
            }
        }
    }

    private void ownersOfSchemas(Connection source) throws SQLException {
        for (String onSource : Queries.strings(source, OWNERS_OF_SCHEMAS)) {
            String owner = roles.role(onSource);
            if (exists(owner)
                    && !Queries.truth(
                            target, "SELECT has_database_privilege(?, current_database(), 'CREATE')", owner)) {
                error(
                        "role " + owner,
                        "owns schemas of the source, and may not own a schema on the target",
                        "GRANT CREATE ON DATABASE " + Identifiers.quote(target.getCatalog()) + " TO "
                                + Identifiers.quote(owner));
            }
        }
    }

    private void extensions(Connection source) throws SQLException {
        String forSuperusers = ServerVersion.major(target) >= 13 ? "superuser AND NOT trusted" : "superuser";
        List<String> restricted = Queries.strings(
                target,
                "SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions e"
                        + " ON e.name = v.name AND e.default_version = v.version WHERE " + forSuperusers
                        + " AND e.installed_version IS NULL");
        for (String extension : Queries.strings(source, "SELECT extname FROM pg_extension ORDER BY 1")) {
            if (restricted.contains(extension)) {
                error(
                        "extension " + extension,
                        "can only be created by a superuser",
                        "As a superuser on the target: CREATE EXTENSION " + Identifiers.quote(extension));
            }
        }
    }

    private void existingTables(Connection source) throws SQLException {
        for (CatalogTable table : SelectedTables.read(source, migration)) {
            Queries.string(
                            target,
                            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(?)"
                                    + " AND NOT pg_has_role(relowner, 'USAGE')",
                            table.id().quoted())
                    .ifPresent(owner -> error(
                            "table " + table.id(),
                            "belongs to " + owner + " on the target, so role " + role + " may not fill it",
                            grant(owner)));
        }
    }

    private boolean exists(String name) throws SQLException {
        return Queries.truth(target, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = ?)", name);
    }

    /** Another check reports a missing role. */
    private boolean mayGiveTo(String owner) throws SQLException {
        String set = ServerVersion.major(target) >= 16 ? " AND pg_has_role(oid, 'SET')" : "";
        return !exists(owner)
                || Queries.truth(
                        target, "SELECT pg_has_role(oid, 'USAGE')" + set + " FROM pg_roles WHERE rolname = ?", owner);
    }

    private String grant(String owner) {
        return "GRANT " + Identifiers.quote(owner) + " TO " + role;
    }

    private void error(String object, String problem, String remedy) {
        findings.add(Finding.error(object, problem, remedy));
    }
}
