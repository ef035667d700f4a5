package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.random.RandomGenerator;

/**
 * A column and the source of its values.
 *
 * @param name not quoted
 * @param constraints SQL after name and type in CREATE TABLE
 */
record RandomColumn(String name, RandomType type, Values values, int pool, boolean nullable, String constraints) {
    /** The values that a statement may write. */
    enum Values {
        /** Samples of the type. */
        ANY,
        /** Numbered values up to {@code pool}, so that rows meet the same values again; seldom a sample. */
        POOL,
        /** Kept out of line. */
        BIG,
        /** No value: the server computes it. */
        GENERATED,
        /** The server's next value, or a number that overrides it. */
        ALWAYS_IDENTITY,
        /** The server's next value or a number. */
        DEFAULT_IDENTITY
    }

    String quoted() {
        return Identifiers.quote(name);
    }

    String definition() {
        return quoted() + " " + type.sql() + constraints;
    }

    /** Whether an UPDATE may set the column to itself. */
    boolean assignable() {
        return !generated() && values != Values.ALWAYS_IDENTITY;
    }

    boolean generated() {
        return values == Values.GENERATED;
    }

    /** Text of a value; null = NULL. */
    String value(RandomGenerator random) {
        if (nullable && random.nextInt(7) == 0) {
            return null;
        }
        return switch (values) {
            case BIG -> random.nextInt(4) == 0 ? small() : RandomTypes.bigValue(type, random);
            case POOL -> random.nextInt(15) == 0 ? type.any(random) : numbered(random.nextInt(pool));
            // Far from the values of the sequence.
            case ALWAYS_IDENTITY, DEFAULT_IDENTITY -> numbered(1_000 + random.nextInt(30_000));
            case ANY, GENERATED -> type.any(random);
        };
    }

    /** A value that probably no other row has, also if rows otherwise meet the same values again. */
    String fresh(RandomGenerator random) {
        return values == Values.POOL && (!nullable || random.nextInt(7) != 0)
                ? numbered(pool + random.nextInt(8_000))
                : value(random);
    }

    String numbered(int number) {
        return type.numbered().apply(number);
    }

    private String small() {
        return switch (type.sql()) {
            case "bytea" -> "\\x00";
            case "jsonb" -> "\"UNCHANGED\"";
            case "text[]" -> "{__debezium_unavailable_value}";
            default -> "__debezium_unavailable_value";
        };
    }
}
