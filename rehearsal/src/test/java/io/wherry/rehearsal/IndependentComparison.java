package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.dump.PostgresTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Compares both databases by what PostgreSQL itself writes; nothing of the product takes part but the list of tables. */
final class IndependentComparison {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private IndependentComparison() {}

    /** Every table that is followed, by its COPY text, sorted. */
    static void assertRowsAreEqual(Migration migration) throws SQLException, IOException {
        try (Connection source = Sessions.open(migration, migration.source(), "test");
                Connection target = Sessions.open(migration, migration.target(), "test")) {
            boolean sameVersion = Catalog.majorVersion(source) == Catalog.majorVersion(target);
            Map<TableId, Catalog.Table> tables = followed(migration, source);
            // A table may be partitioned on one side only.
            Map<TableId, Catalog.Table> onTarget = Catalog.withPartitioned(target).stream()
                    .collect(Collectors.toMap(Catalog.Table::id, table -> table));
            assertThat(onTarget.keySet()).containsAll(tables.keySet());
            if (migration.schema() == Migration.TargetSchemaMode.CREATE) {
                assertThat(followed(migration, target).keySet()).isEqualTo(tables.keySet());
            }
            for (Catalog.Table table : tables.values()) {
                String rows = table.rows() + migration.tables().whereClause(table.id());
                List<String> expected = sameVersion
                        ? CopyText.lines(source, columns(table), rows)
                        : CopyText.linesAsWrittenBy(target, table.id(), source, columns(table), rows);
                List<String> found = CopyText.lines(
                        target, columns(table), onTarget.get(table.id()).rows());
                assertThat(found).as(table.id().quoted()).isEqualTo(expected);
            }
            assertRowsOfExtensionsAreEqual(migration, source, target, sameVersion);
        }
    }

    /**
     * What pg_dump would write of extensions' tables, by the source's condition, but for rows that only the target's version of the
     * extension makes by itself; and their sequences.
     */
    private static void assertRowsOfExtensionsAreEqual(
            Migration migration, Connection source, Connection target, boolean sameVersion)
            throws SQLException, IOException {
        Map<String, String> ofTarget = registered(target);
        for (Map.Entry<String, String> table : registered(source).entrySet()) {
            String name = table.getKey();
            TableId id = new TableId(name.split("\\.")[0], name.split("\\.")[1]);
            if (!migration.tables().selects(id)) {
                continue;
            }
            assertThat(ofTarget).containsKey(name);
            String columns = text(
                    source,
                    "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '"
                            + name + "'::regclass AND attnum > 0 AND NOT attisdropped");
            boolean sequence = text(source, "SELECT relkind FROM pg_class WHERE oid = '" + name + "'::regclass")
                    .equals("S");
            if (sequence) {
                columns = "last_value, is_called";
            }
            String rows = name + " " + table.getValue();
            List<String> expected = sequence || sameVersion
                    ? CopyText.lines(source, columns, rows)
                    : CopyText.linesAsWrittenBy(target, id, source, columns, rows);
            List<String> found = CopyText.lines(target, columns, name + " " + table.getValue());
            List<String> notUsers = new ArrayList<>(
                    ofTarget.get(name).equals(table.getValue())
                            ? List.of()
                            : CopyText.lines(
                                    target,
                                    columns,
                                    name + " EXCEPT SELECT " + columns + " FROM " + name + " " + ofTarget.get(name)));
            notUsers.removeAll(expected);
            assertThat(found).as(name).containsAll(expected);
            List<String> more = new ArrayList<>(found);
            expected.forEach(more::remove);
            assertThat(notUsers).as(name + ": rows only on the target").containsAll(more);
        }
    }

    private static Map<String, String> registered(Connection database) throws SQLException {
        Map<String, String> tables = new TreeMap<>();
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), k.condition FROM pg_extension e,"
                                + " unnest(e.extconfig, e.extcondition) AS k(id, condition) JOIN pg_class c ON c.oid = k.id"
                                + " JOIN pg_namespace n ON n.oid = c.relnamespace")) {
            while (row.next()) {
                tables.put(row.getString(1), row.getString(2));
            }
        }
        return tables;
    }

    private static String text(Connection database, String sql) throws SQLException {
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }

    private static Map<TableId, Catalog.Table> followed(Migration migration, Connection connection)
            throws SQLException {
        return Catalog.selected(connection, migration).stream()
                .filter(table -> migration.tables().follows(table.id()))
                .collect(Collectors.toMap(Catalog.Table::id, table -> table, (a, b) -> a, TreeMap::new));
    }

    private static String columns(Catalog.Table table) {
        return table.columns().stream().map(c -> Identifiers.quote(c.name())).collect(Collectors.joining(", "));
    }

    /**
     * What pg_dump writes of both sides' schemas, statement by statement, where they are of one version; without what the migration needs
     * on the source: its publication, and the replica identity of tables without a key.
     */
    static void assertSchemasAreEqual(Migration migration, Path directory, List<String> urls)
            throws SQLException, IOException {
        try (Connection source = Sessions.open(migration, migration.source(), "test");
                Connection target = Sessions.open(migration, migration.target(), "test")) {
            if (Catalog.majorVersion(source) == Catalog.majorVersion(target)) {
                assertThat(dumped(migration, directory, urls.get(1)))
                        .isEqualTo(dumped(migration, directory, urls.get(0)));
            }
        }
    }

    private static List<String> dumped(Migration migration, Path directory, String url) throws IOException {
        Path file = directory.resolve("schema.sql");
        Command.run(
                List.of(
                        PostgresTools.locate(10).pgDump().toString(),
                        "--schema-only",
                        "--exclude-schema=wherry",
                        "--file=" + file,
                        url),
                directory,
                directory.resolve("pg_dump.log"),
                LIMIT,
                "pg_dump fails");
        String dump = Files.readString(file).replaceAll("(?m)^(--.*|\\\\(un)?restrict .*)?\n", "");
        // Names and texts have line ends too.
        return Arrays.stream(dump.split("(?<=;)\n"))
                .filter(statement ->
                        !statement.contains(migration.publication()) && !statement.endsWith("REPLICA IDENTITY FULL;"))
                .sorted()
                .toList();
    }
}
