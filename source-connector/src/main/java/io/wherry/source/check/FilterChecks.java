package io.wherry.source.check;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The part of the preflight that checks row filters ({@code tables.where}). */
public final class FilterChecks {
    private static final int FILTERS_SINCE = 15;
    private static final Pattern LITERAL = Pattern.compile("'(?:[^']|'')*'");
    private static final Pattern NAME = Pattern.compile("\"((?:[^\"]|\"\")+)\"|([\\p{L}_][\\p{L}\\p{N}_$]*)");

    private FilterChecks() {}

    public static List<Finding> check(Connection session, Migration migration, List<CatalogTable> tables)
            throws SQLException {
        List<Finding> findings = new ArrayList<>();
        Set<String> unknown = new HashSet<>(migration.tables().where().keySet());
        for (CatalogTable table : tables) {
            String condition = migration.tables().where().get(table.id().toString());
            unknown.remove(table.id().toString());
            if (condition != null) {
                check(session, migration, table, condition, findings);
            }
        }
        for (String table : unknown) {
            findings.add(Finding.error(
                    "tables.where",
                    table + " is not a selected table",
                    "Write schema.table as in the catalog; name each partition of a partitioned table"));
        }
        return findings;
    }

    private static void check(
            Connection session, Migration migration, CatalogTable table, String condition, List<Finding> findings)
            throws SQLException {
        String name = table.id().toString();
        if (table.partitioned()) {
            findings.add(Finding.error(
                    name,
                    "has a row filter and is carried whole, but the server cannot do both",
                    "Remove it from tables.where or from tables.whole"));
            return;
        }
        String rows = "SELECT FROM ONLY " + table.id().quoted() + " WHERE (" + condition + ") LIMIT 0";
        try (Statement statement = session.createStatement();
                PreparedStatement prepared = session.prepareStatement(rows)) {
            statement.execute(rows);
            if (hasParameter(prepared)) {
                findings.add(Finding.error(
                        name,
                        "its row filter uses an operator with a question mark, which the driver takes for a parameter",
                        "Write the operator's function in tables.where: jsonb_exists(a, b) instead of a ? b"));
                return;
            }
        } catch (SQLException e) {
            findings.add(Finding.error(
                    name,
                    "its row filter is refused: " + e.getMessage(),
                    "Correct tables.where; write types and functions of other schemas with their schema"));
            return;
        }
        if (!migration.tables().follows(table.id())) {
            return;
        }
        if (ServerVersion.major(session) < FILTERS_SINCE) {
            findings.add(Finding.error(
                    name,
                    "has a row filter, which servers before " + FILTERS_SINCE + " cannot apply to changes",
                    "Remove it from tables.where, or name the table in tables.load-only too"));
            return;
        }
        List<String> outside = table.columns().stream()
                .map(CatalogColumn::name)
                .filter(names(condition)::contains)
                .filter(column -> !table.identity().contains(column))
                .toList();
        if (table.replicaIdentity() != ReplicaIdentity.FULL && !table.identity().isEmpty() && !outside.isEmpty()) {
            findings.add(Finding.error(
                    name,
                    "its row filter uses "
                            + String.join(
                                    ", ",
                                    outside.stream().map(Identifiers::quote).toList())
                            + ", which its replica identity does not include: the source would refuse every update and"
                            + " delete",
                    "On the source: ALTER TABLE " + table.id().quoted() + " REPLICA IDENTITY FULL"));
        } else if (table.replicaIdentity() != ReplicaIdentity.FULL
                && !table.identity().isEmpty()) {
            warnOfValuesStoredApart(session, table, findings);
        }
    }

    private static boolean hasParameter(PreparedStatement statement) {
        try {
            statement.setNull(1, Types.OTHER);
            return true;
        } catch (SQLException none) {
            return false;
        }
    }

    /**
     * An update of a key may bring a row into the filter. The stream then leaves out the large values that the update did not
     * change, and the sink-applier stops the table.
     */
    private static void warnOfValuesStoredApart(Connection session, CatalogTable table, List<Finding> findings)
            throws SQLException {
        List<String> apart = new ArrayList<>();
        try (PreparedStatement statement = session.prepareStatement("SELECT attname FROM pg_catalog.pg_attribute"
                + " WHERE attrelid = ?::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped"
                + " AND attstorage IN ('e', 'x') ORDER BY attnum")) {
            statement.setString(1, table.id().quoted());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    apart.add(row.getString(1));
                }
            }
        }
        apart.removeAll(table.identity());
        if (!apart.isEmpty()) {
            findings.add(Finding.warning(
                    table.id().toString(),
                    "stops when an update of its key brings a row into its row filter and leaves a large value of "
                            + String.join(
                                    ", ", apart.stream().map(Identifiers::quote).toList())
                            + " unchanged: the source does not send that value",
                    "If applications update its keys, on the source: ALTER TABLE "
                            + table.id().quoted() + " REPLICA IDENTITY FULL"));
        }
    }

    /** All names in the condition, also names that are no columns: more than needed, never fewer. */
    static Set<String> names(String condition) {
        Set<String> names = new HashSet<>();
        Matcher name = NAME.matcher(LITERAL.matcher(condition).replaceAll("''"));
        while (name.find()) {
            names.add(
                    name.group(1) != null
                            ? name.group(1).replace("\"\"", "\"")
                            : name.group(2).toLowerCase(Locale.ROOT));
        }
        return names;
    }
}
