package io.wherry.coordinator.dump;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Splits a script of pg_dump into statements and the comment lines between them, like psql's lexer. Strings, quoted identifiers,
 * dollar quotes, comments, parentheses (rules hold several statements) and SQL-standard function bodies ({@code BEGIN ATOMIC …
 * END}) are never split. Lines that start with a backslash are commands of psql, and are dropped.
 */
final class SqlScript {
    private final String text;
    private final List<Part> parts = new ArrayList<>();
    private int at;

    private SqlScript(String text) {
        this.text = text;
    }

    /** @param sql a comment line with its dashes, or a statement without its semicolon */
    record Part(boolean comment, String sql) {}

    static List<Part> parts(String text) {
        SqlScript script = new SqlScript(text);
        while (script.at < text.length()) {
            script.next();
        }
        return script.parts;
    }

    private void next() {
        char c = text.charAt(at);
        if (Character.isWhitespace(c) || c == ';') {
            at++;
        } else if (c == '\\') {
            at = lineEnd(at);
        } else if (text.startsWith("--", at)) {
            int end = lineEnd(at);
            parts.add(new Part(true, text.substring(at, end)));
            at = end;
        } else {
            int start = at;
            skipStatement();
            parts.add(new Part(false, text.substring(start, at).strip()));
        }
    }

    private void skipStatement() {
        int parentheses = 0;
        int blocks = 0;
        int words = 0;
        boolean routine = false;
        boolean create = false;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == ';' && parentheses == 0 && blocks == 0) {
                return;
            } else if (text.startsWith("--", at)) {
                at = lineEnd(at);
            } else if (text.startsWith("/*", at)) {
                skipComment();
            } else if (c == '\'') {
                skipString(false);
            } else if (c == '"') {
                at = after("\"", at + 1);
            } else if (c == '$') {
                skipDollar();
            } else if (identifierPart(c) && !Character.isDigit(c)) {
                int start = at;
                while (at < text.length() && identifierPart(text.charAt(at))) {
                    at++;
                }
                String word = text.substring(start, at).toUpperCase(Locale.ROOT);
                words++;
                if (word.equals("E") && at < text.length() && text.charAt(at) == '\'') {
                    skipString(true);
                }
                create |= words == 1 && word.equals("CREATE");
                routine |= create && words <= 4 && (word.equals("FUNCTION") || word.equals("PROCEDURE"));
                if (routine && parentheses == 0) {
                    if (word.equals("BEGIN") || word.equals("CASE") && blocks > 0) {
                        blocks++;
                    } else if (word.equals("END") && blocks > 0) {
                        blocks--;
                    }
                }
            } else {
                parentheses += c == '(' ? 1 : c == ')' ? -1 : 0;
                at++;
            }
        }
    }

    private void skipString(boolean backslashes) {
        at++;
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (backslashes && c == '\\') {
                at++;
            } else if (c == '\'') {
                return;
            }
        }
    }

    private void skipComment() {
        int depth = 0;
        do {
            if (text.startsWith("/*", at)) {
                depth++;
                at += 2;
            } else if (text.startsWith("*/", at)) {
                depth--;
                at += 2;
            } else {
                at++;
            }
        } while (depth > 0 && at < text.length());
    }

    private void skipDollar() {
        int end = at + 1;
        while (end < text.length() && identifierPart(text.charAt(end)) && text.charAt(end) != '$') {
            end++;
        }
        boolean quote = end < text.length() && text.charAt(end) == '$' && !Character.isDigit(text.charAt(at + 1));
        at = quote ? after(text.substring(at, end + 1), end + 1) : at + 1;
    }

    private static boolean identifierPart(char c) {
        return Character.isLetterOrDigit(c) || c == '_' || c == '$' || c > 127;
    }

    private int after(String mark, int from) {
        int found = text.indexOf(mark, from);
        return found < 0 ? text.length() : found + mark.length();
    }

    private int lineEnd(int from) {
        int end = text.indexOf('\n', from);
        return end < 0 ? text.length() : end;
    }
}
