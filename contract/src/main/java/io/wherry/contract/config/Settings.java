package io.wherry.contract.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.wherry.contract.error.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One mapping of the YAML file: returns typed values, remembers which keys are known, and collects problems. */
final class Settings {
    private static final Pattern REFERENCE = Pattern.compile("\\$\\{(env|file):([^}]+)}");
    private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s|m|h)");

    private final String path;
    private final JsonNode node;
    private final List<Finding> problems;
    private final Map<String, String> environment;
    private final Map<String, Settings> sections = new LinkedHashMap<>();
    private final List<String> known = new ArrayList<>();
    private boolean open;

    Settings(String path, JsonNode node, List<Finding> problems, Map<String, String> environment) {
        this.path = path;
        this.node = node;
        this.problems = problems;
        this.environment = environment;
        if (!node.isMissingNode() && !node.isNull() && !node.isObject()) {
            problems.add(Finding.error(path.isEmpty() ? "file" : path, "must be a mapping", "Write it as key: value"));
        }
    }

    Settings section(String key) {
        return sections.computeIfAbsent(key, k -> {
            known.add(k);
            JsonNode child = node.path(k);
            return new Settings(full(k), child.isNull() ? MissingNode.getInstance() : child, problems, environment);
        });
    }

    /** The keys of the mapping; all of them count as known. */
    List<String> names() {
        open = true;
        List<String> names = new ArrayList<>();
        node.fieldNames().forEachRemaining(names::add);
        return names;
    }

    Map<String, String> properties() {
        Map<String, String> properties = new HashMap<>();
        names().forEach(name -> text(name).ifPresent(value -> properties.put(name, value)));
        return Map.copyOf(properties);
    }

    /** The values whose keys begin with the prefix; all of these keys count as known. */
    Map<String, String> prefixed(String prefix) {
        Map<String, String> values = new HashMap<>();
        node.fieldNames().forEachRemaining(key -> {
            if (key.startsWith(prefix)) {
                text(key).ifPresent(value -> values.put(key, value));
            }
        });
        return values;
    }

    /** As {@link #text}; an empty text counts as missing. */
    Optional<String> filled(String key) {
        return text(key).filter(value -> !value.isEmpty());
    }

    Optional<String> text(String key) {
        known.add(key);
        JsonNode value = node.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        if (!value.isValueNode()) {
            problem(key, "must be a single value", "Write it as " + key + ": value");
            return Optional.empty();
        }
        return Optional.of(resolve(key, value.asText()));
    }

    List<String> texts(String key) {
        known.add(key);
        JsonNode value = node.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        if (value.isArray()) {
            value.forEach(element -> texts.add(resolve(key, element.asText())));
        } else {
            problem(key, "must be a list", "Write it as " + key + ": [a, b]");
        }
        return List.copyOf(texts);
    }

    int number(String key, int otherwise, int least, int most) {
        Optional<String> text = text(key);
        if (text.isEmpty()) {
            return otherwise;
        }
        if (text.get().matches("[0-9]{1,9}")) {
            int value = Integer.parseInt(text.get());
            if (value >= least && value <= most) {
                return value;
            }
        }
        problem(key, "'" + text.get() + "' is not usable", "Give a whole number from " + least + " to " + most);
        return otherwise;
    }

    Duration duration(String key, Duration otherwise) {
        Optional<String> text = text(key);
        if (text.isEmpty()) {
            return otherwise;
        }
        Matcher matcher = DURATION.matcher(text.get());
        if (!matcher.matches()) {
            problem(key, "'" + text.get() + "' is not a duration", "Write 500ms, 2s, 5m or 1h");
            return otherwise;
        }
        long amount = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            default -> Duration.ofHours(amount);
        };
    }

    /** {@code on} or {@code off}, which YAML reads as true and false. */
    boolean flag(String key, boolean otherwise) {
        String value = text(key).orElse(Boolean.toString(otherwise));
        switch (value) {
            case "on", "true" -> {
                return true;
            }
            case "off", "false" -> {
                return false;
            }
            default -> {
                problem(key, "'" + value + "' is not known", "Use on or off");
                return otherwise;
            }
        }
    }

    /** A choice among the constants, written in lower case with hyphens. */
    <E extends Enum<E>> E choice(String key, E otherwise, Class<E> type) {
        Optional<String> text = text(key);
        if (text.isEmpty()) {
            return otherwise;
        }
        List<String> names = new ArrayList<>();
        for (E constant : type.getEnumConstants()) {
            String name = constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
            if (name.equals(text.get())) {
                return constant;
            }
            names.add(name);
        }
        problem(key, "'" + text.get() + "' is not known", "Use " + String.join(" or ", names));
        return otherwise;
    }

    String missing(String key, String what) {
        problem(key, "is missing", "Give " + what);
        return "";
    }

    void problem(String key, String problem, String remedy) {
        problems.add(Finding.error(full(key), problem, remedy));
    }

    /** Reports every key that was never read; must be called last. */
    void rejectUnknown() {
        if (!open) {
            node.fieldNames().forEachRemaining(key -> {
                if (!known.contains(key)) {
                    Optional<String> nearest = nearest(key);
                    problem(
                            key,
                            "unknown key",
                            nearest.map(n -> "Did you mean '" + n + "'?")
                                    .orElse("Known here: " + String.join(", ", known)));
                }
            });
        }
        sections.values().forEach(Settings::rejectUnknown);
    }

    private Optional<String> nearest(String key) {
        return known.stream()
                .filter(k -> distance(k, key) <= Math.max(2, k.length() / 3))
                .min(Comparator.comparingInt(k -> distance(k, key)));
    }

    /** Levenshtein distance. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }

    private String resolve(String key, String text) {
        Matcher matcher = REFERENCE.matcher(text);
        return matcher.replaceAll(match -> Matcher.quoteReplacement(reference(key, match.group(1), match.group(2))));
    }

    private String reference(String key, String kind, String name) {
        if (kind.equals("env")) {
            String value = environment.get(name);
            if (value == null) {
                problem(key, "environment variable " + name + " is not set", "Set it before starting");
            }
            return value == null ? "" : value;
        }
        try {
            return Files.readString(Path.of(name)).strip();
        } catch (IOException e) {
            problem(key, "file " + name + " cannot be read", "Create it, readable for the user that runs wherry");
            return "";
        }
    }

    private String full(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }
}
