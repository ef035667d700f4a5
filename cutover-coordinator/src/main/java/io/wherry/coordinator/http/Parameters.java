package io.wherry.coordinator.http;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The query of a request: {@code name=value} any number of times. A value may hold any character. */
record Parameters(Map<String, List<String>> values) {
    /** @param raw as the client has sent it; null = none */
    static Parameters of(String raw) {
        Map<String, List<String>> values = new LinkedHashMap<>();
        for (String part : raw == null || raw.isEmpty() ? new String[0] : raw.split("&")) {
            int end = part.indexOf('=');
            String name = end < 0 ? part : part.substring(0, end);
            String value = end < 0 ? "" : part.substring(end + 1);
            values.computeIfAbsent(name, key -> new ArrayList<>())
                    .add(URLDecoder.decode(value, StandardCharsets.UTF_8));
        }
        return new Parameters(values);
    }

    /** All values of this name, in their order. */
    List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }

    /** The value of this name; the last one counts. */
    Optional<String> last(String name) {
        List<String> all = all(name);
        return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.size() - 1));
    }

    boolean is(String name, String value) {
        return last(name).filter(value::equals).isPresent();
    }

    /** A parameter that is not among these, as text for people. A misspelt {@code dryRun} must not begin a cutover. */
    Optional<String> unknown(Set<String> known) {
        return values.keySet().stream().filter(name -> !known.contains(name)).findFirst();
    }
}
