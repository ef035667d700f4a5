package io.wherry.sink;

/**
 * The text of a one-dimensional PostgreSQL array (documentation, section 8.15.6). Sent without a type, so that the server
 * reads it as an array of the type that the statement names, each element by its own input function.
 */
final class ArrayLiteral {
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
        for (int i = 0; i < element.length(); i++) {
            char c = element.charAt(i);
            if (c == '"' || c == '\\') {
                text.append('\\');
            }
            text.append(c);
        }
        text.append('"');
    }

    @Override
    public String toString() {
        return text + "}";
    }
}
