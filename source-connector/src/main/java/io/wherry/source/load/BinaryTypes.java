package io.wherry.source.load;

import io.wherry.contract.postgres.CatalogColumn;
import java.util.Set;

/**
 * The types whose binary COPY format is the same on every server: built in, without type numbers of this database inside.
 * Arrays carry their element type's number, so arrays of these only. Left out: xml (its encoding is the session's), money
 * (scaled by locale), reg* (numbers of this catalog), ranges and everything that users define.
 */
final class BinaryTypes {
    private static final Set<String> STABLE = Set.of(
            "bool",
            "int2",
            "int4",
            "int8",
            "float4",
            "float8",
            "numeric",
            "text",
            "varchar",
            "bpchar",
            "char",
            "name",
            "bytea",
            "date",
            "time",
            "timetz",
            "timestamp",
            "timestamptz",
            "interval",
            "uuid",
            "json",
            "jsonb",
            "inet",
            "cidr",
            "macaddr",
            "macaddr8",
            "bit",
            "varbit",
            "point",
            "line",
            "lseg",
            "box",
            "path",
            "polygon",
            "circle",
            "oid",
            "xid",
            "tsvector",
            "pg_lsn");

    private BinaryTypes() {}

    static boolean stable(CatalogColumn column) {
        if (!column.type().schema().equals("pg_catalog") || column.typeKind() != 'b') {
            return false;
        }
        String name = column.type().name();
        // A built-in array type is named for its element: _int4.
        boolean array = column.elementOid() != 0 && name.startsWith("_");
        return STABLE.contains(array ? name.substring(1) : name);
    }
}
