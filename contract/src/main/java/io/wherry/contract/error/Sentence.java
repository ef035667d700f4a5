package io.wherry.contract.error;

/** Builds a message of one line: what is wrong, and what to do about it. */
public final class Sentence {
    private Sentence() {}

    /**
     * Problem and remedy as two sentences in one line. The problem may end with a dot, and a server's message may have several
     * lines.
     */
    public static String of(String problem, String remedy) {
        String line = line(problem);
        if (remedy.isBlank()) {
            return line;
        }
        int end = line.length();
        while (end > 0 && line.charAt(end - 1) == '.') {
            end--;
        }
        return line.substring(0, end) + ". " + line(remedy);
    }

    /** The text in one line. */
    public static String line(String text) {
        return text.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
