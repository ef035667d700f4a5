package io.wherry.contract.name;

import java.util.regex.Pattern;

/** Table patterns of the configuration and of commands: {@code *} matches any characters, every other character matches itself. */
public final class Patterns {
    private Patterns() {}

    public static boolean matches(String pattern, String name) {
        StringBuilder regex = new StringBuilder();
        for (String literal : pattern.split("\\*", -1)) {
            if (regex.length() > 0) {
                regex.append(".*");
            }
            regex.append(literal.isEmpty() ? "(?:)" : Pattern.quote(literal));
        }
        return Pattern.compile(regex.toString(), Pattern.DOTALL).matcher(name).matches();
    }
}
