package io.wherry.source.load;

import io.wherry.contract.postgres.CatalogColumn;
import java.util.Set;

/**
 * The types whose binary COPY format is the same on every server: built-in types whose values hold no oids of this database. An
 * array holds the oid of its element type, so only arrays of these types are included. Not included: xml (encoded as the session
 * says), money (scaled by the locale), reg* (oids of this catalog), ranges, and all types that users define.
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
        // A built-in array type has the name of its element type with an underscore: _int4.
        boolean array = column.elementOid() != 0 && name.startsWith("_");
        return STABLE.contains(array ? name.substring(1) : name);
    }
}
