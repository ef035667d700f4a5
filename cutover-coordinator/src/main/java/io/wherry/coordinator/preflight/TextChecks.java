package io.wherry.coordinator.preflight;

import io.wherry.contract.error.Finding;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The part of the preflight that checks how both databases encode and sort text. */
final class TextChecks {
    /** The collation of the database, with its provider (15 and newer). */
    private static final String COLLATION = """
            SELECT concat_ws(', ', datcollate, datctype, CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'ICU ' WHEN 'b' THEN 'builtin '
                     END || coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''))
              FROM pg_database d WHERE datname = current_database()
            """;

    private static final String RANGES_OF_TEXT = """
            SELECT n.nspname, c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE p.partstrat = 'r' AND (SELECT oid FROM pg_collation WHERE collname = 'default') = ANY (p.partcollation::oid[])
             ORDER BY 1, 2
            """;

    private TextChecks() {}

    static List<Finding> check(Connection source, Connection target) throws SQLException {
        List<Finding> findings = new ArrayList<>();
        String database = "SELECT %s FROM pg_database WHERE datname = current_database()";
        String encoding = database.formatted("pg_encoding_to_char(encoding)");
        if (!Queries.string(source, encoding).equals(Queries.string(target, encoding))) {
            findings.add(Finding.error(
                    "target",
                    "has encoding " + Queries.string(target, encoding).orElse("") + ", the source "
                            + Queries.string(source, encoding).orElse(""),
                    "CREATE DATABASE … TEMPLATE template0 ENCODING '"
                            + Queries.string(source, encoding).orElse("") + "'"));
        }
        Optional<String> from = Queries.string(source, COLLATION);
        Optional<String> to = Queries.string(target, COLLATION);
        if (from.equals(to)) {
            return findings;
        }
        findings.add(Finding.warning(
                "target",
                "has collation " + to.orElse("") + ", the source " + from.orElse("") + ": texts may sort differently",
                "Create the target database with the source's locale provider and locale (LC_COLLATE, LC_CTYPE)"));
        for (TableId table :
                Queries.list(source, row -> new TableId(row.getString(1), row.getString(2)), RANGES_OF_TEXT)) {
            findings.add(Finding.warning(
                    table.toString(),
                    "is partitioned by ranges of text, which the target sorts by another collation: a row that belongs to another"
                            + " partition there stops its table",
                    "Create the target database with the source's locale provider and locale (LC_COLLATE, LC_CTYPE)"));
        }
        return findings;
    }
}
