package io.wherry.coordinator.row;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * SQL that turns a row into a text. For equal rows the text is the same under every server version, collation and setting. For rows
 * that differ in any byte of any value the text differs (pure).
 *
 * <p>{@code ROW(…)::text} uses the types' output functions: {@code char(n)} keeps its padding, NULL and the empty string differ,
 * quoting is unambiguous. Floating-point text changed in version 12, so such values, and the geometric types made of them, are
 * taken in their binary form.
 */
public final class RowHash {
    private static final int LARGE = 1_000_000;
    /** The function that gives the binary form of a value, by the name of the type in {@code pg_catalog}. */
    static final Map<String, String> SEND = Map.ofEntries(
            Map.entry("float4", "float4send"),
            Map.entry("float8", "float8send"),
            Map.entry("point", "point_send"),
            Map.entry("lseg", "lseg_send"),
            Map.entry("path", "path_send"),
            Map.entry("box", "box_send"),
            Map.entry("polygon", "poly_send"),
            Map.entry("line", "line_send"),
            Map.entry("circle", "circle_send"),
            Map.entry("_float4", "array_send"),
            Map.entry("_float8", "array_send"),
            Map.entry("_point", "array_send"),
            Map.entry("_lseg", "array_send"),
            Map.entry("_path", "array_send"),
            Map.entry("_box", "array_send"),
            Map.entry("_polygon", "array_send"),
            Map.entry("_line", "array_send"),
            Map.entry("_circle", "array_send"));

    private RowHash() {}

    /** The row's text. The caller chooses the order of the columns, the same on both sides. */
    public static String row(List<CatalogColumn> columns, RowTypes types) {
        return "ROW(" + columns.stream().map(c -> column(c, types)).collect(Collectors.joining(", "))
                + ")::pg_catalog.text";
    }

    /**
     * One query: rows, and the sum of a 64-bit hash of every row; equal for equal sets of rows, in any order.
     *
     * <p>The query contains the row's text once. If the text had a name in a subquery and were used twice, the server would compute
     * the text twice, because the planner replaces the name by the expression (measured: 4.4 s for a million rows with two sums,
     * 1.0 s with one).
     *
     * @param extended whether both servers have {@code hashtextextended} (11 and newer), which costs less than md5. On a big-endian
     *     machine that function gives other numbers: then the comparison row by row decides, which uses md5
     * @param rows what follows FROM: the table on that side, and a WHERE clause if not all rows count
     */
    public static String table(List<CatalogColumn> columns, RowTypes types, boolean extended, String rows) {
        String row = row(columns, types);
        String hash = extended
                ? "hashtextextended(" + row + ", 0)"
                : "('x' || substr(md5(" + row + "), 1, 16))::bit(64)::bigint";
        return "SELECT count(*), sum(" + hash + ") FROM " + rows;
    }

    /**
     * One query: rows, and two sums of 64-bit hashes of every row, together 128 bits.
     *
     * <p>The row's text stands in a subquery that the planner must not dissolve ({@code OFFSET 0}), so the server computes the text
     * once for both hashes.
     *
     * @param extended as in {@link #table}; without it, the two halves of the row's md5
     * @param rows as in {@link #table}
     */
    public static String sums(List<CatalogColumn> columns, RowTypes types, boolean extended, String rows) {
        String row = row(columns, types);
        return extended
                ? "SELECT count(*), sum(hashtextextended(r, 0)), sum(hashtextextended(r, 1)) FROM (SELECT " + row
                        + " AS r FROM " + rows + " OFFSET 0) AS wherry_rows"
                : "SELECT count(*), sum(('x' || substr(m, 1, 16))::bit(64)::bigint),"
                        + " sum(('x' || substr(m, 17, 16))::bit(64)::bigint) FROM (SELECT md5(" + row
                        + ") AS m FROM " + rows + " OFFSET 0) AS wherry_rows";
    }

    /**
     * One query: as {@link #sums}, for each group of the rows; the group is the first column.
     *
     * @param group SQL of a row's group
     */
    public static String groups(
            List<CatalogColumn> columns, RowTypes types, boolean extended, String group, String rows) {
        String row = row(columns, types);
        return extended
                ? "SELECT g, count(*), sum(hashtextextended(r, 0)), sum(hashtextextended(r, 1)) FROM (SELECT " + group
                        + " AS g, " + row + " AS r FROM " + rows + " OFFSET 0) AS wherry_rows GROUP BY g"
                : "SELECT g, count(*), sum(('x' || substr(m, 1, 16))::bit(64)::bigint),"
                        + " sum(('x' || substr(m, 17, 16))::bit(64)::bigint) FROM (SELECT " + group + " AS g, md5("
                        + row + ") AS m FROM " + rows + " OFFSET 0) AS wherry_rows GROUP BY g";
    }

    /**
     * SQL for 128 bits of a text, as a text.
     *
     * @param text SQL of the text, used twice: a name, not an expression that costs
     * @param extended as in {@link #table}
     */
    public static String digest(String text, boolean extended) {
        return extended
                ? "(hashtextextended(" + text + ", 0) || ' ' || hashtextextended(" + text + ", 1))"
                : "md5(" + text + ")";
    }

    /** Whether the server's own text of the column's values may be another in another version. */
    public static boolean changesItsText(CatalogColumn column, RowTypes types) {
        return SEND.containsKey(builtIn(column, types)) || types.floating().containsKey(column.typeOid());
    }

    /** Name of the column's type, or of its domain's base type, in {@code pg_catalog}; empty for another type. */
    private static String builtIn(CatalogColumn column, RowTypes types) {
        return column.type().schema().equals("pg_catalog")
                ? column.type().name()
                : types.bases().getOrDefault(column.typeOid(), "");
    }

    /**
     * Each row's md5 and its key for people, ordered by md5 bytewise.
     *
     * @param rows as in {@link #table}
     */
    public static String sortedRows(CatalogTable table, List<CatalogColumn> columns, RowTypes types, String rows) {
        List<String> naming = table.identity().isEmpty()
                ? table.columns().stream().map(CatalogColumn::name).toList()
                : table.identity();
        String key = naming.stream().map(Identifiers::quote).collect(Collectors.joining(", "));
        return "SELECT md5(" + row(columns, types) + ") COLLATE \"C\" AS h, left(ROW(" + key
                + ")::text, 200) AS key FROM " + rows + " ORDER BY 1";
    }

    private static String column(CatalogColumn column, RowTypes types) {
        String name = Identifiers.quote(column.name());
        String type = builtIn(column, types);
        String send = SEND.get(type);
        if (send != null) {
            return "encode(" + send + "(" + name + "), 'hex')";
        }
        UnaryOperator<String> floating = types.floating().get(column.typeOid());
        if (floating != null) {
            return floating.apply(name);
        }
        return switch (type) {
            // Halves the length of the text: hexadecimal is twice as long, and the limit of a row's text is 1
            // GB.
            case "bytea" -> "md5(" + name + ")";
            // The quoting of a row would double every quote, of which these hold many.
            case "json", "jsonb" -> "md5(" + name + "::text)";
            // A cast to text shows a declaration <?xml version="1.0"?>, which the server's output, and so the copy,
            // does not hold.
            case "xml" -> "md5(textin(xml_out(" + name + ")))";
            // The server reads the octet_length of these types from the value's header. char(n) stays unchanged: a
            // cast to text strips its blanks.
            case "text", "varchar" ->
                "CASE WHEN octet_length(" + name + ") > " + LARGE + " THEN md5(" + name + ") ELSE " + name + " END";
            default -> name;
        };
    }
}
