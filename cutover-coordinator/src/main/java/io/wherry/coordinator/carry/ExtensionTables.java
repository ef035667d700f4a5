package io.wherry.coordinator.carry;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.ExtensionTable;
import io.wherry.coordinator.row.RowHash;
import io.wherry.coordinator.row.RowTypes;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Which tables of extensions are carried, when, and whether the target can take their rows. */
public final class ExtensionTables {
    /**
     * The background workers of these extensions act on the rows of these tables. On the target they would act before the switch:
     * jobs would run twice, and partitions would be created and dropped there.
     */
    private static final Set<String> ACTING = Set.of("pg_cron", "pg_partman");

    /** Larger tables are not compared repeatedly. */
    private static final long EARLY_BYTES = 8L << 20;

    private static final long LARGE_BYTES = 64L << 20;
    private static final int MOST_OWN = 10_000;

    private static final String INSTALLED =
            "SELECT extname, extversion, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace";
    private static final String READABLE =
            "SELECT has_schema_privilege(CAST(? AS text), 'USAGE') AND has_table_privilege(CAST(? AS text), 'SELECT')";
    private static final String WRITABLE = "SELECT has_schema_privilege(CAST(? AS text), 'USAGE')"
            + " AND has_table_privilege(CAST(? AS text), 'SELECT') AND has_table_privilege(CAST(? AS text), 'INSERT')"
            + " AND has_table_privilege(CAST(? AS text), 'DELETE')";

    private final Flow flow;

    public ExtensionTables(Flow flow) {
        this.flow = flow;
    }

    /** When the rows are brought to the target. */
    public enum When {
        /** With the schema, and whenever the rows differ: the load and the indexes may need these rows. */
        EARLY,
        /** In the transaction of the switch row. */
        SWITCH
    }

    /** An extension of one side. @param schema of its objects that may be in any schema */
    private record Installed(String version, String schema) {
        static Map<String, Installed> read(Connection side) throws SQLException {
            Map<String, Installed> installed = new HashMap<>();
            Queries.list(
                    side,
                    row -> installed.put(row.getString(1), new Installed(row.getString(2), row.getString(3))),
                    INSTALLED);
            return installed;
        }

        /** As pg_dump creates the extension: in the schema where the applications look for its objects. */
        String making(String extension, String more) {
            String name = Identifiers.quote(extension);
            String quoted = Identifiers.quote(schema);
            return "CREATE SCHEMA IF NOT EXISTS " + quoted + "; CREATE EXTENSION " + name + " SCHEMA " + quoted + more;
        }

        String remaking(String extension) {
            return "DROP EXTENSION " + Identifiers.quote(extension) + "; "
                    + making(extension, " VERSION '" + version + "'") + "; or name the table in tables.exclude";
        }
    }

    /** @param target empty if the target has no such table of an extension */
    record Pair(ExtensionTable source, Optional<ExtensionTable> target, When when) {
        TableId id() {
            return source.table().id();
        }

        /** The target's rows that both versions of the extension count as the users' rows, as what follows FROM in SQL. */
        String rowsOnTarget() {
            ExtensionTable twin = target.orElseThrow();
            String only = twin.table().rows();
            return sameCondition()
                    ? twin.rows()
                    : only + " WHERE ctid IN (SELECT ctid FROM " + only + " " + source.condition()
                            + ") AND ctid IN (SELECT ctid FROM " + only + " " + twin.condition() + ")";
        }

        boolean sameCondition() {
            return source.condition().equals(target.orElseThrow().condition());
        }

        /** The carried columns, in one order on both sides; the server computes the others. */
        List<CatalogColumn> columns() {
            return source.table().writable();
        }
    }

    /** The selected tables of the source's extensions, ordered by name. */
    List<Pair> pairs(Connection source, Connection target) throws SQLException {
        Map<TableId, ExtensionTable> twins = new HashMap<>();
        Catalog.ofExtensions(target).forEach(twin -> twins.put(twin.table().id(), twin));
        return Catalog.ofExtensions(source).stream()
                .filter(table -> flow.migration().tables().selects(table.table().id()))
                .map(table -> new Pair(
                        table,
                        Optional.ofNullable(twins.get(table.table().id())),
                        ACTING.contains(table.extension()) || table.table().bytes() > EARLY_BYTES
                                ? When.SWITCH
                                : When.EARLY))
                .toList();
    }

    /** Why the rows cannot be brought to the target now. */
    List<Finding> obstacles(Connection source, Connection target, List<Pair> pairs) throws SQLException {
        return obstacles(source, target, pairs, false);
    }

    /** @param made whether extensions that the target lacks will be created there, and are checked then */
    private List<Finding> obstacles(Connection source, Connection target, List<Pair> pairs, boolean made)
            throws SQLException {
        List<Finding> findings = new ArrayList<>();
        Map<String, Installed> onSource = Installed.read(source);
        Map<String, Installed> installed = Installed.read(target);
        for (Pair pair : pairs) {
            ExtensionTable own = pair.source();
            Installed here = onSource.get(own.extension());
            String object = "table " + pair.id();
            String schema = pair.id().schema();
            String name = pair.id().quoted();
            if (!Queries.truth(source, READABLE, schema, name)) {
                findings.add(Finding.error(
                        object,
                        "of extension " + own.extension() + " may not be read",
                        "GRANT USAGE ON SCHEMA " + Identifiers.quote(schema) + " TO "
                                + Identifiers.quote(flow.from().user()) + "; GRANT SELECT ON " + name + " TO "
                                + Identifiers.quote(flow.from().user())
                                + "; or name the table in tables.exclude"));
            } else if (pair.target().isEmpty()) {
                Installed there = installed.get(own.extension());
                if (there != null) {
                    findings.add(other(object, "is not on the target", own.extension(), here, there));
                } else if (!made) {
                    findings.add(Finding.error(
                            object,
                            "is of extension " + own.extension() + ", which is not on the target",
                            "On the target: " + here.making(own.extension(), "")
                                    + "; or name the table in tables.exclude"));
                }
            } else {
                ofTarget(source, target, pair, here, installed.get(own.extension()))
                        .ifPresent(findings::add);
            }
        }
        return findings;
    }

    private Optional<Finding> ofTarget(
            Connection source, Connection target, Pair pair, Installed here, Installed installed) throws SQLException {
        ExtensionTable own = pair.source();
        ExtensionTable twin = pair.target().orElseThrow();
        List<String> there =
                twin.table().writable().stream().map(CatalogColumn::name).toList();
        for (CatalogColumn column : pair.columns()) {
            if (!there.contains(column.name())) {
                return Optional.of(other(
                        "column " + pair.id() + "." + column.name(),
                        "is missing on the target",
                        own.extension(),
                        here,
                        installed));
            }
        }
        String name = pair.id().quoted();
        // Without users' rows, Wherry need not write: cloud providers let no role write to PostGIS's spatial_ref_sys.
        if (!Queries.truth(target, WRITABLE, pair.id().schema(), name, name, name)
                && Queries.truth(source, "SELECT EXISTS (SELECT FROM " + own.rows() + ")")) {
            String role = Identifiers.quote(flow.to().user());
            return Optional.of(Finding.error(
                    "table " + pair.id(),
                    "of extension " + own.extension() + " holds rows of yours and may not be written on the target",
                    "GRANT USAGE ON SCHEMA " + Identifiers.quote(pair.id().schema()) + " TO " + role
                            + "; GRANT SELECT, INSERT, DELETE ON " + name + " TO " + role
                            + "; or name the table in tables.exclude"));
        }
        return Optional.empty();
    }

    private static Finding other(String object, String problem, String extension, Installed here, Installed there) {
        if (!there.schema().equals(here.schema())) {
            return Finding.error(
                    object,
                    problem + ": extension " + extension + " is in schema " + there.schema() + " on the target, in "
                            + here.schema() + " on the source",
                    "On the target: " + here.remaking(extension));
        }
        return Finding.error(
                object,
                problem + ": extension " + extension + " has version " + there.version() + " on the target, "
                        + here.version() + " on the source",
                "ALTER EXTENSION " + Identifiers.quote(extension)
                        + " UPDATE on the side that is behind; or on the target " + here.remaking(extension));
    }

    /** What must hold before a migration starts. */
    public List<Finding> check(Connection source, Connection target) throws SQLException {
        List<Pair> pairs = pairs(source, target);
        List<Finding> findings = new ArrayList<>();
        List<Finding> obstacles =
                obstacles(source, target, pairs, flow.migration().schema() == Migration.TargetSchemaMode.CREATE);
        findings.addAll(obstacles);
        RowTypes types = RowTypes.read(source, target);
        for (Pair pair : pairs) {
            if (obstacles.isEmpty() && pair.target().isPresent() && holdsOwn(source, target, pair, types)) {
                findings.add(Finding.error(
                        "table " + pair.id(),
                        "of extension " + pair.source().extension()
                                + " holds rows on the target that are not on the source",
                        "On the target, if they are not needed: DELETE FROM " + pair.rowsOnTarget()));
            }
        }
        for (Pair pair : pairs) {
            if (pair.source().table().bytes() > LARGE_BYTES) {
                findings.add(Finding.warning(
                        "table " + pair.id(),
                        "of extension " + pair.source().extension() + " has "
                                + (pair.source().table().bytes() >> 20)
                                + " MiB, which are copied while the applications wait",
                        "Remove rows that are not needed, or name the table in tables.exclude"));
            }
        }
        return findings;
    }

    /** Rows that the extension's own script has created are on the source too, and the source's rows replace them. */
    private static boolean holdsOwn(Connection source, Connection target, Pair pair, RowTypes types)
            throws SQLException {
        String hash = "md5(" + RowHash.row(pair.columns(), types) + ")";
        List<String> there =
                Queries.strings(target, "SELECT " + hash + " FROM " + pair.rowsOnTarget() + " LIMIT " + MOST_OWN);
        if (there.isEmpty()) {
            return false;
        }
        long known = Queries.number(
                source,
                "SELECT count(DISTINCT h) FROM (SELECT " + hash + " AS h FROM "
                        + pair.source().rows() + ") r WHERE h = ANY (?)",
                source.createArrayOf("text", there.toArray()));
        return there.size() == MOST_OWN || known < there.stream().distinct().count();
    }
}
