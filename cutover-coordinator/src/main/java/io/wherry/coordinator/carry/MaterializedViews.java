package io.wherry.coordinator.carry;

import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The materialized views that hold rows, to be refreshed at the switch under the source database's own settings: a view may name a
 * table within a text, or read the time zone. Schema-only dumps contain no refresh.
 *
 * @param views by quoted name; a view that reads another view comes after that view
 * @param settings of the database, as for a session that sets nothing itself
 */
public record MaterializedViews(List<String> views, Map<String, String> settings) {
    public static final String KIND = "MATERIALIZED VIEW DATA";
    public static final MaterializedViews NONE = new MaterializedViews(List.of(), Map.of());

    // A view can be created only once the objects that it reads exist, so its oid is higher.
    private static final String VIEWS = """
            SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'wherry'
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                  AND d.objid = c.oid AND d.deptype = 'e')
             ORDER BY c.oid
            """;

    private static final String SETTINGS = """
            SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
              FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
             WHERE s.setrole = 0 AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY s.setdatabase
            """;

    private static final String SETTABLE = "SELECT name FROM pg_catalog.pg_settings WHERE context = 'user'";

    /** These settings of the cutover's own session stay. */
    private static final Pattern OURS = Pattern.compile(
            ".*_timeout|default_transaction_.*|transaction_.*|session_.*|role|row_security|client_encoding|client_min_messages");

    public MaterializedViews {
        views = List.copyOf(views);
        settings = Map.copyOf(settings);
    }

    public static MaterializedViews read(Connection source) throws SQLException {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("search_path", "\"$user\", public");
        Queries.list(source, row -> settings.put(row.getString(1), row.getString(2)), SETTINGS);
        return new MaterializedViews(Queries.strings(source, VIEWS), settings);
    }

    /**
     * Whether a view can be read.
     *
     * @param view its quoted name; a view that does not exist is not populated
     */
    public static boolean isPopulated(Connection target, String view) throws SQLException {
        return Queries.truth(
                target,
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = to_regclass(?) AND relispopulated)",
                view);
    }

    /** The statements for this target. */
    public List<Entry> refreshes(Connection target) throws SQLException {
        Set<String> settable = new HashSet<>(Queries.strings(target, SETTABLE));
        List<String> set = new ArrayList<>();
        List<String> reset = new ArrayList<>();
        settings.forEach((name, value) -> {
            if ((settable.contains(name) || name.indexOf('.') > 0)
                    && !OURS.matcher(name).matches()) {
                set.add("SELECT pg_catalog.set_config(" + Identifiers.literal(name) + ", " + Identifiers.literal(value)
                        + ", true)");
                reset.add("SET LOCAL " + quoted(name) + " TO DEFAULT");
            }
        });
        List<Entry> entries = new ArrayList<>();
        for (String view : views) {
            List<String> statements = new ArrayList<>(set);
            statements.add("REFRESH MATERIALIZED VIEW " + view);
            statements.addAll(reset);
            entries.add(new Entry(KIND, view, List.of(), statements));
        }
        return entries;
    }

    private static String quoted(String setting) {
        List<String> parts = new ArrayList<>();
        for (String part : setting.split("\\.")) {
            parts.add(Identifiers.quote(part));
        }
        return String.join(".", parts);
    }
}
