package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.random.RandomGenerator;

/**
 * A column and where its values come from.
 *
 * @param name not quoted
 * @param constraints what follows name and type in CREATE TABLE
 */
record RandomColumn(String name, RandomType type, Values values, int pool, boolean nullable, String constraints) {
    /** What a statement may write. */
    enum Values {
        /** Samples of the type. */
        ANY,
        /** Numbered values up to {@code pool}, so that they meet again; seldom a sample. */
        POOL,
        /** Kept out of line. */
        BIG,
        /** Nothing: the server computes it. */
        GENERATED,
        /** The server's next value, or a number when overridden. */
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

    /** Whether an UPDATE may set it to itself. */
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
            // Far from what the sequence gives.
            case ALWAYS_IDENTITY, DEFAULT_IDENTITY -> numbered(1_000 + random.nextInt(30_000));
            case ANY, GENERATED -> type.any(random);
        };
    }

    /** A value that no other row is likely to have, where values meet again otherwise. */
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
