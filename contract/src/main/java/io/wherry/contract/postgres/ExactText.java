package io.wherry.contract.postgres;

import java.util.Set;

/** The built-in types whose values are equal exactly if their texts are, under a deterministic collation. */
public final class ExactText {
    /** Names in {@code pg_catalog}. Enums are of this kind too. */
    public static final Set<String> TYPES = Set.of(
            "bool",
            "int2",
            "int4",
            "int8",
            "oid",
            "text",
            "varchar",
            "name",
            "char",
            "uuid",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "bytea",
            "inet",
            "cidr",
            "macaddr",
            "macaddr8",
            "bit",
            "varbit",
            "pg_lsn");

    private ExactText() {}
}
