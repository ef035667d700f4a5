package io.wherry.contract.postgres;

import java.util.List;

/**
 * How a table's updates and deletes identify the row in the write-ahead log, as the PostgreSQL documentation of {@code ALTER
 * TABLE … REPLICA IDENTITY} defines it: "DEFAULT: records the old values of the columns of the primary key, if any", "USING
 * INDEX: records the old values of the columns covered by the named index, that must be unique, not partial, not deferrable, and
 * include only columns marked NOT NULL", "FULL: records the old values of all columns in the row", "NOTHING: records no
 * information about the old row".
 *
 * <p>Wherry adds two limits. A deferrable primary key identifies no row within a transaction, and the server does not use it as
 * the identity. A key with a generated column identifies no row either: the column is not in the stream, or only from version 18
 * on, and the rest of the key may match many rows. Columns that an index only includes are never part of the key.
 *
 * <p>The SQL refers to a table {@code c} ({@code pg_class}) and to an index {@code i} ({@code pg_index}).
 */
public enum ReplicaIdentity {
    DEFAULT('d'),
    INDEX('i'),
    FULL('f'),
    NOTHING('n');

    /** SQL condition: index {@code i} is the identity of table {@code c}. */
    public static final String INDEX_OF_TABLE = "i.indrelid = c.oid AND i.indisvalid AND i.indimmediate"
            + " AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END";

    /** SQL condition: index {@code i} is a primary key that identifies rows, apart from generated columns. */
    public static final String PRIMARY_KEY = "i.indisprimary AND i.indimmediate";

    /** SQL condition: index {@code i} could be the identity of its table, apart from generated columns. */
    public static final String USABLE_INDEX = "i.indisvalid AND i.indimmediate AND i.indisunique AND i.indpred IS NULL"
            + " AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k WHERE k.attrelid = i.indrelid"
            + " AND NOT k.attnotnull AND k.attnum = ANY (i.indkey::int2[]))";

    private static final String NAMED_INDEX = "i.indisreplident";
    private static final int INCLUDED_SINCE = 11;

    private final char code;

    ReplicaIdentity(char code) {
        this.code = code;
    }

    /**
     * @param code {@code relreplident} of the catalog and of the stream's relation messages
     * @throws IllegalArgumentException when no server writes such a code
     */
    public static ReplicaIdentity of(char code) {
        for (ReplicaIdentity identity : values()) {
            if (identity.code == code) {
                return identity;
            }
        }
        throw new IllegalArgumentException("no replica identity has the code " + code);
    }

    /** The code in the catalog. */
    public char code() {
        return code;
    }

    /**
     * The columns that identify a row of the stream; empty = keyless. Under FULL the row has all columns, so those of the primary
     * key are among them. Wherry sets FULL on a table that has no other identity.
     */
    public List<String> columns(List<String> primaryKey, List<String> namedIndex) {
        return this == INDEX ? namedIndex : primaryKey;
    }

    /**
     * SQL for the names of the columns of table {@code c}'s primary key, in order; NULL when it has no key that identifies rows.
     *
     * @param major version of the server
     */
    public static String primaryKey(int major) {
        return key(PRIMARY_KEY, major);
    }

    /** SQL for the names of the columns of the index that table {@code c} names as its identity; NULL when there is none. */
    public static String namedIndex(int major) {
        return key(NAMED_INDEX, major);
    }

    private static String key(String index, int major) {
        return """
                (SELECT array_agg(a.attname::text ORDER BY k.position)
                   FROM pg_index i, unnest(%s) WITH ORDINALITY AS k(attnum, position), pg_attribute a
                  WHERE i.indrelid = c.oid AND %s AND a.attrelid = c.oid AND a.attnum = k.attnum AND %s)""".formatted(keyColumns(major), index, withoutGenerated(major));
    }

    /** SQL for the numbers of the columns of index {@code i}'s key: an array. */
    public static String keyColumns(int major) {
        return "(i.indkey::int2[])[0:" + (major < INCLUDED_SINCE ? "i.indnatts" : "i.indnkeyatts") + " - 1]";
    }

    /** SQL condition: no column of index {@code i}'s key is generated. */
    public static String withoutGenerated(int major) {
        return major < ServerVersion.GENERATED_COLUMNS
                ? "true"
                : "NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = i.indrelid AND g.attgenerated <> ''"
                        + " AND g.attnum = ANY (" + keyColumns(major) + "))";
    }
}
