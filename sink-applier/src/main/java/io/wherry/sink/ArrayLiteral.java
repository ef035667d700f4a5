package io.wherry.sink;

/**
 * The text of a one-dimensional PostgreSQL array (documentation, section 8.15.6). Sent without a type, so that the server
 * reads it as an array of the type that the statement names, each element by its own input function.
 */
final class ArrayLiteral {
    private static final int GIANT = 1 << 20;

    private final StringBuilder text = new StringBuilder("{");

    void add(String element) {
        if (text.length() > 1) {
            text.append(',');
        }
        if (element == null) {
            text.append("NULL");
            return;
        }
        text.append('"');
        if (element.length() > GIANT) {
            // Doubling would cost twice a giant value.
            text.ensureCapacity(text.length() + element.length() + escapes(element) + 2);
        }
        for (int i = 0; i < element.length(); i++) {
            char c = element.charAt(i);
            if (c == '"' || c == '\\') {
                text.append('\\');
            }
            text.append(c);
        }
        text.append('"');
    }

    private static int escapes(String element) {
        int count = 0;
        for (int i = 0; i < element.length(); i++) {
            char c = element.charAt(i);
            count += c == '"' || c == '\\' ? 1 : 0;
        }
        return count;
    }

    /** The literal; afterwards the array takes no more elements. */
    String finish() {
        return text.append('}').toString();
    }
}
