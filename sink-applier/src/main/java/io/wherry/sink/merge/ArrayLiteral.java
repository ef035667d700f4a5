package io.wherry.sink.merge;

import java.util.ArrayList;
import java.util.List;

/**
 * The text of a one-dimensional PostgreSQL array (documentation, section 8.15.6). Wherry sends the text without a type. So the
 * server reads an array of the type that the statement names, and reads each element by the type's own input function.
 */
public final class ArrayLiteral {
    private static final int GIANT = 1 << 20;

    /** What comes before {@link #text}: giant elements are joined at the end, each copied once. */
    private final List<String> begun = new ArrayList<>();

    private final StringBuilder text = new StringBuilder("{");

    public void add(String element) {
        if (text.length() > 1 || !begun.isEmpty()) {
            text.append(',');
        }
        if (element == null) {
            text.append("NULL");
            return;
        }
        text.append('"');
        if (element.length() > GIANT) {
            begun.add(text.toString());
            begun.add(escaped(element));
            text.setLength(0);
        } else {
            escape(element, text);
        }
        text.append('"');
    }

    private static String escaped(String element) {
        int escapes = 0;
        for (int i = 0; i < element.length(); i++) {
            escapes += isEscaped(element.charAt(i)) ? 1 : 0;
        }
        if (escapes == 0) {
            return element;
        }
        StringBuilder text = new StringBuilder(Math.addExact(element.length(), escapes));
        escape(element, text);
        return text.toString();
    }

    private static void escape(String element, StringBuilder text) {
        for (int i = 0; i < element.length(); i++) {
            char c = element.charAt(i);
            if (isEscaped(c)) {
                text.append('\\');
            }
            text.append(c);
        }
    }

    private static boolean isEscaped(char c) {
        return c == '"' || c == '\\';
    }

    /** The literal; afterwards the array accepts no more elements and holds none. */
    public String finish() {
        text.append('}');
        begun.add(text.toString());
        String literal = String.join("", begun);
        begun.clear();
        return literal;
    }
}
