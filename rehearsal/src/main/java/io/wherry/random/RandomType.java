package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.random.RandomGenerator;

/**
 * A column's type and values of it, as their text.
 *
 * @param sql the type in CREATE TABLE
 * @param since first major version of the server that has the type and all of {@code samples}
 * @param samples edge values
 * @param numbered text of the n-th of many different values; null = the type has no order and cannot be a key
 */
record RandomType(String sql, int since, List<String> samples, IntFunction<String> numbered) {
    RandomType {
        samples = List.copyOf(samples);
    }

    static RandomType plain(int since, String sql, String... samples) {
        return new RandomType(sql, since, List.of(samples), null);
    }

    static RandomType keyed(int since, String sql, IntFunction<String> numbered, String... samples) {
        return new RandomType(sql, since, List.of(samples), numbered);
    }

    boolean ordered() {
        return numbered != null;
    }

    /** One of the samples, or one of a hundred numbered values. */
    String any(RandomGenerator random) {
        return ordered() && random.nextInt(3) == 0
                ? numbered.apply(random.nextInt(100))
                : samples.get(random.nextInt(samples.size()));
    }

    /** Array values of the type: empty, with NULL, with two dimensions, with other bounds. */
    RandomType array() {
        List<String> elements = samples.stream().map(RandomType::element).toList();
        List<String> arrays = new ArrayList<>(List.of("{}", "{NULL}"));
        for (int i = 0; i < elements.size(); i++) {
            String one = elements.get(i);
            String other = elements.get((i + 1) % elements.size());
            arrays.add("{" + one + ",NULL," + other + "}");
            arrays.add("[-1:0]={" + one + "," + other + "}");
            arrays.add("{{" + one + "," + other + "},{NULL," + one + "}}");
        }
        IntFunction<String> array = ordered() ? i -> "{" + element(numbered.apply(i)) + "}" : null;
        return new RandomType(sql + "[]", since, arrays, array);
    }

    private static String element(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    /** SQL of a value; null = NULL. */
    String literal(String text) {
        return "CAST(" + (text == null ? "NULL" : Identifiers.literal(text)) + " AS " + sql + ")";
    }
}
