package io.wherry.source.check;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ExactText;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.source.server.Identities;
import io.wherry.source.server.Identities.Identity;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The part of the preflight that checks each selected table. */
public final class TableChecks {
    private static final String RIGHTS = """
            SELECT c.oid::bigint, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
                   pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
                   pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')
                     AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
                   pg_catalog.row_security_active(c.oid) AS filtered,
                   EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid
                      AND (i.indisunique AND NOT i.indisprimary OR i.indisexclusion)) AS unique_otherwise
              FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p')
            """;

    // A column of a fixed scale or length has exactly one text for each value.
    private static final String INEXACT = """
            WITH RECURSIVE base(type, base) AS (
                SELECT atttypid, atttypid FROM pg_catalog.pg_attribute WHERE attrelid = ? AND attname = ANY (?)
                UNION
                SELECT b.type, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.base WHERE t.typtype = 'd')
            SELECT a.attname FROM pg_catalog.pg_attribute a
              JOIN base b ON b.type = a.atttypid
              JOIN pg_catalog.pg_type t ON t.oid = b.base AND t.typtype <> 'd'
              JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
              LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
             WHERE a.attrelid = ? AND a.attname = ANY (?)
               AND NOT (%s AND (t.typtype = 'e' OR n.nspname = 'pg_catalog'
                        AND (t.typname = ANY (?) OR t.typname IN ('numeric', 'bpchar') AND a.atttypmod > 0)))
             ORDER BY a.attnum
            """;

    private TableChecks() {}

    private record Rights(String owner, boolean owned, boolean readable, boolean filtered, boolean uniqueOtherwise) {}

    public static List<Finding> check(Connection session, CaptureGroup group, List<CatalogTable> tables)
            throws SQLException {
        Map<Long, Rights> rights = rights(session);
        String role = Identifiers.quote(group.from().user());
        List<Finding> findings = new ArrayList<>();
        Map<Long, Identity> identities =
                Identities.of(session, tables.stream().map(CatalogTable::oid).toList()).stream()
                        .collect(Collectors.toMap(Identity::oid, Function.identity()));
        for (CatalogTable table : tables) {
            check(group, table, rights.get(table.oid()), identities.get(table.oid()), role, findings);
            if (group.migration().apply().partitions().getOrDefault(table.id().toString(), 1) > 1) {
                checkKey(session, table, findings);
            }
        }
        List<CatalogTable> readable =
                tables.stream().filter(t -> rights.get(t.oid()).readable).toList();
        findings.addAll(LargeValueChecks.check(session, WholeChecks.leaves(session, group, readable)));
        return findings;
    }

    private static void check(
            CaptureGroup group,
            CatalogTable table,
            Rights rights,
            Identity identity,
            String role,
            List<Finding> findings) {
        String name = table.id().toString();
        String quoted = table.id().quoted();
        boolean followed = group.migration().tables().follows(table.id());
        if (followed && !rights.owned) {
            findings.add(Finding.error(
                    name,
                    "belongs to " + rights.owner + ", so no other role can publish it",
                    "GRANT " + Identifiers.quote(rights.owner) + " TO " + role
                            + ", or use that role or a superuser; if " + rights.owner
                            + " is a superuser, ALTER TABLE " + quoted + " OWNER TO another role"));
        }
        if (!rights.readable) {
            findings.add(Finding.error(
                    name,
                    "may not be read",
                    "GRANT USAGE ON SCHEMA " + Identifiers.quote(table.id().schema()) + " TO " + role
                            + "; GRANT SELECT ON " + quoted + " TO " + role));
        } else if (rights.filtered) {
            findings.add(Finding.error(
                    name, "row-level security hides rows from this role", "ALTER ROLE " + role + " BYPASSRLS"));
        }
        if (followed && !table.partitioned() && table.unlogged()) {
            findings.add(Finding.error(
                    name,
                    "is unlogged: its changes are not in the write-ahead log",
                    "ALTER TABLE " + quoted + " SET LOGGED, or name it in tables.exclude or tables.load-only"));
        }
        if (followed && identity != null && identity.impossible()) {
            findings.add(Finding.error(name, identity.problem(), identity.remedy()));
        } else if (followed && identity != null && identity.lacksKey()) {
            findings.add(
                    rights.owned
                            ? Finding.info(
                                    name, "has no key; Wherry sets REPLICA IDENTITY FULL while the migration runs")
                            : Finding.error(
                                    name,
                                    "has no key, so an update would not name its row",
                                    "ALTER TABLE " + quoted + " REPLICA IDENTITY FULL"));
        }
        if (group.migration().apply().partitions().getOrDefault(name, 1) > 1
                && !table.partitioned()
                && (table.identity().isEmpty() || rights.uniqueOtherwise)) {
            findings.add(Finding.error(
                    name,
                    "its changes may not go to several partitions: the table has no key, or it has another unique"
                            + " constraint, for which the order of changes matters",
                    "Remove it from apply.partitions"));
        }
    }

    /** Counterexample: 1.0 is deleted and 1.00 is inserted. With two partitions the insert may be applied first, then the delete. */
    private static void checkKey(Connection session, CatalogTable table, List<Finding> findings) throws SQLException {
        String sql = INEXACT.formatted(
                ServerVersion.major(session) >= 12 ? "coalesce(l.collisdeterministic, true)" : "true");
        try (PreparedStatement statement = session.prepareStatement(sql)) {
            Array key = session.createArrayOf("text", table.identity().toArray());
            statement.setLong(1, table.oid());
            statement.setArray(2, key);
            statement.setLong(3, table.oid());
            statement.setArray(4, key);
            statement.setArray(5, session.createArrayOf("text", ExactText.TYPES.toArray()));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    findings.add(Finding.error(
                            table.id() + " column " + row.getString(1),
                            "equal values may have different texts, so the changes of one key would go to several"
                                    + " partitions",
                            "Remove " + table.id() + " from apply.partitions"));
                }
            }
        }
    }

    private static Map<Long, Rights> rights(Connection session) throws SQLException {
        Map<Long, Rights> rights = new HashMap<>();
        try (PreparedStatement statement = session.prepareStatement(RIGHTS);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                rights.put(
                        row.getLong(1),
                        new Rights(
                                row.getString(2),
                                row.getBoolean(3),
                                row.getBoolean(4),
                                row.getBoolean(5),
                                row.getBoolean(6)));
            }
        }
        return rights;
    }
}
