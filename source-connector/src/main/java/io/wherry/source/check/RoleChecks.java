package io.wherry.source.check;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.source.server.Publication;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Checks that the role may replicate, publish, and read what the copy of the schema and of sequences needs. */
final class RoleChecks {
    private static final String UNREADABLE = """
            SELECT n.nspname, c.relname, c.relkind = 'S' FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%'
               AND n.nspname NOT IN ('information_schema', 'wherry')
               AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind
                        WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                        ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
             ORDER BY 1, 2
            """;

    private final CaptureGroup group;
    private final Connection session;
    private final SingleValues values;
    private final String role;
    private final List<Finding> findings = new ArrayList<>();

    private RoleChecks(CaptureGroup group, Connection session, String role) {
        this.group = group;
        this.session = session;
        this.role = role;
        values = new SingleValues(session);
    }

    /** @param role of the session, quoted */
    static List<Finding> check(Connection session, CaptureGroup group, String role) throws SQLException {
        RoleChecks checks = new RoleChecks(group, session, role);
        checks.role();
        checks.unreadable();
        return checks.findings;
    }

    private void role() throws SQLException {
        if (!values.flag("SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user")
                && !values.flag("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication'"
                        + " AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER'))")) {
            error(
                    "role " + role,
                    "may not replicate",
                    "ALTER ROLE " + role + " REPLICATION (on RDS: GRANT rds_replication TO " + role + ")");
        }
        if (!Publication.exists(session, group)
                && !values.flag("SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE')")) {
            error(
                    "role " + role,
                    "may not create a publication",
                    "GRANT CREATE ON DATABASE " + Identifiers.quote(session.getCatalog()) + " TO " + role);
        }
    }

    /** The dump of the schema also locks tables that are not selected. The cutover reads sequences. */
    private void unreadable() throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(UNREADABLE);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId id = new TableId(row.getString(1), row.getString(2));
                boolean dumped = group.migration().schema() == TargetSchemaMode.CREATE;
                if (row.getBoolean(3) || dumped && !group.migration().tables().selects(id)) {
                    error(
                            id.toString(),
                            "may not be read, but the copy of the schema and of sequences reads it",
                            "GRANT USAGE ON SCHEMA " + Identifiers.quote(id.schema()) + " TO " + role
                                    + "; GRANT SELECT ON " + id.quoted() + " TO " + role);
                }
            }
        }
    }

    private void error(String object, String problem, String remedy) {
        findings.add(Finding.error(object, problem, remedy));
    }
}
