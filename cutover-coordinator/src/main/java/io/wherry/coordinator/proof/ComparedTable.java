package io.wherry.coordinator.proof;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogColumns;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.coordinator.repair.RepairedTable;
import io.wherry.coordinator.row.RowHash;
import io.wherry.coordinator.row.RowTypes;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The SQL by which one table is compared (pure). A row's text, and so its hash, is the same statement on both sides; the filter limits
 * the source's rows only.
 *
 * @param columns in the order of their names, so the order in the tables does not count
 * @param key empty when the rows have no key by which they can be found
 * @param filter condition on the source's rows; empty = all rows
 */
record ComparedTable(
        CatalogTable source,
        CatalogTable target,
        List<CatalogColumn> columns,
        List<KeyColumn> key,
        String filter,
        RowTypes types,
        boolean extended) {
    /** A power of two. */
    static final int BUCKETS = 1024;

    static ComparedTable of(
            CatalogTable source, CatalogTable target, List<KeyColumn> key, Migration migration, CatalogFacts facts) {
        String where = migration.tables().where().getOrDefault(source.id().toString(), "");
        List<CatalogColumn> columns = CatalogFacts.byName(source.columns());
        return new ComparedTable(source, target, columns, key, where, facts.types(), facts.extended());
    }

    TableId id() {
        return source.id();
    }

    /** Whether these are the tables that the statements were made for, and the types' fields are as they were. */
    boolean isOf(CatalogTable onSource, CatalogTable onTarget, RowTypes present) {
        // A repair describes the source's table with its replica identity; the target's has no part in that.
        return source.replicaIdentity() == onSource.replicaIdentity()
                && same(source, onSource)
                && same(target, onTarget)
                && RowHash.row(columns, types).equals(RowHash.row(columns, present));
    }

    private static boolean same(CatalogTable one, CatalogTable other) {
        return one.oid() == other.oid()
                && one.identity().equals(other.identity())
                && CatalogColumns.shape(one.columns()) == CatalogColumns.shape(other.columns());
    }

    /** Whether a statement names the fields of a type that is not the server's own, as it does where versions write floats differently. */
    boolean readsFieldsOfTypes() {
        return columns.stream()
                .anyMatch(column -> !column.type().schema().equals("pg_catalog")
                        && types.floating().containsKey(column.typeOid()));
    }

    /** How many of the key's first columns every server orders alike. */
    int ordered() {
        int ordered = 0;
        while (ordered < key.size() && key.get(ordered).ordered()) {
            ordered++;
        }
        return ordered;
    }

    private String rows(boolean onSource) {
        return (onSource ? source : target).rows();
    }

    private String where(boolean onSource, List<String> more) {
        List<String> conditions = new ArrayList<>(more);
        if (onSource && !filter.isEmpty()) {
            conditions.add("(" + filter + ")");
        }
        return conditions.isEmpty() ? "" : " WHERE " + String.join(" AND ", conditions);
    }

    /** Rows and two sums of hashes of the rows that meet the conditions. */
    String sums(boolean onSource, List<String> conditions) {
        return RowHash.sums(columns, types, extended, rows(onSource) + where(onSource, conditions));
    }

    /** Number of the bucket, then as {@link #sums}, for each bucket that has rows. */
    String buckets(boolean onSource, List<String> conditions) {
        return RowHash.groups(columns, types, extended, bucket(), rows(onSource) + where(onSource, conditions));
    }

    /** Condition for the rows of these buckets. */
    String inBuckets(Collection<Integer> buckets) {
        return bucket() + " = ANY ('{" + buckets.stream().map(String::valueOf).collect(Collectors.joining(",")) + "}')";
    }

    /** The bucket of a row's key, the same on both sides: the key's text is the same, and so is the server's hash of a text. */
    private String bucket() {
        String form = key.stream().map(c -> "%s").collect(Collectors.joining(" "));
        String names = key.stream().map(KeyColumn::name).collect(Collectors.joining(", "));
        return "(hashtext(format('" + form + "', " + names + ") COLLATE \"C\") & " + (BUCKETS - 1) + ")";
    }

    /** Condition with a parameter for each ordered column of the key: above ({@code >}) a key, or up to ({@code <=}) one. */
    String bound(String operator) {
        List<KeyColumn> first = key.subList(0, ordered());
        String names = first.stream().map(KeyColumn::name).collect(Collectors.joining(", "));
        String values = first.stream().map(c -> c.value("?")).collect(Collectors.joining(", "));
        return first.size() == 1
                ? names + " " + operator + " " + values
                : "ROW(" + names + ") " + operator + " ROW(" + values + ")";
    }

    /** The ordered columns of the key of the row on the source that is {@code rows} rows further. */
    String boundary(boolean first, int rows) {
        List<KeyColumn> ordered = key.subList(0, ordered());
        return "SELECT " + ordered.stream().map(KeyColumn::text).collect(Collectors.joining(", ")) + " FROM "
                + rows(true) + (first ? "" : " WHERE " + bound(">")) + " ORDER BY "
                + ordered.stream().map(KeyColumn::name).collect(Collectors.joining(", "))
                + " OFFSET " + (rows - 1) + " LIMIT 1";
    }

    /** Key and hash of each row that meets the conditions; the hash is the last column. */
    String list(boolean onSource, List<String> conditions) {
        return "SELECT " + names("wherry_x.") + ", " + RowHash.digest("wherry_x.r", extended) + " FROM (SELECT "
                + texts() + ", " + RowHash.row(columns, types) + " AS r FROM " + rows(onSource)
                + where(onSource, conditions) + " OFFSET 0) AS wherry_x";
    }

    /** Key of each row that meets the conditions. */
    String keys(boolean onSource, List<String> conditions) {
        return "SELECT " + texts() + " FROM " + rows(onSource) + where(onSource, conditions);
    }

    /**
     * The rows of given keys: number of the key from 1, the row's key, its hash. One parameter for each column of the key, an array
     * of texts. Each row is found by the key's index, whatever the planner thinks of the number of keys.
     */
    String lookup(boolean onSource) {
        String arrays = key.stream().map(c -> "?::pg_catalog.text[]").collect(Collectors.joining(", "));
        return "SELECT wherry_k.n, " + names("wherry_r.") + ", wherry_r.h FROM unnest(" + arrays
                + ") WITH ORDINALITY AS wherry_k(" + names("") + ", n) CROSS JOIN LATERAL (SELECT " + names("wherry_x.")
                + ", " + RowHash.digest("wherry_x.r", extended) + " AS h FROM (SELECT " + texts() + ", "
                + RowHash.row(columns, types) + " AS r FROM " + rows(onSource)
                + where(onSource, equal(i -> "wherry_k.k" + i)) + " OFFSET 0) AS wherry_x) AS wherry_r";
    }

    /** A digest of each column of one row, in the order of {@link #columns}; one parameter for each column of the key. */
    String digests(boolean onSource) {
        return "SELECT ARRAY["
                + columns.stream()
                        .map(c -> RowHash.digest(RowHash.row(List.of(c), types), extended))
                        .collect(Collectors.joining(", "))
                + "] FROM " + rows(onSource) + where(onSource, equal(i -> "?"));
    }

    /** One value of one row; one parameter for each column of the key. */
    String row(boolean onSource, String value) {
        return "SELECT " + value + " FROM " + rows(onSource) + where(onSource, equal(i -> "?"));
    }

    /** How rows on the source are read for a repair. */
    RepairedTable repaired() {
        return new RepairedTable(
                source.oid(),
                id(),
                source.rows(),
                source.replicaIdentity().code(),
                source.identity(),
                String.join(" AND ", equal(i -> "?")),
                filter);
    }

    private List<String> equal(IntFunction<String> value) {
        return IntStream.range(0, key.size())
                .mapToObj(i -> key.get(i).name() + " " + key.get(i).operator() + " "
                        + key.get(i).value(value.apply(i)))
                .toList();
    }

    private String names(String prefix) {
        return IntStream.range(0, key.size()).mapToObj(i -> prefix + "k" + i).collect(Collectors.joining(", "));
    }

    private String texts() {
        return IntStream.range(0, key.size())
                .mapToObj(i -> key.get(i).text() + " AS k" + i)
                .collect(Collectors.joining(", "));
    }
}
