package io.wherry.contract.error;

/**
 * One line of the preflight.
 *
 * @param severity ERROR refuses the start; WARNING and INFO do not
 * @param object what the finding is about: a setting, a table, a role
 * @param problem what was found
 * @param remedy what to do, as a command where one exists; may be empty for INFO
 */
public record Finding(Severity severity, String object, String problem, String remedy) {
    /** How severe the finding is. */
    public enum Severity {
        ERROR,
        WARNING,
        INFO
    }

    public static Finding error(String object, String problem, String remedy) {
        return new Finding(Severity.ERROR, object, problem, remedy);
    }

    public static Finding warning(String object, String problem, String remedy) {
        return new Finding(Severity.WARNING, object, problem, remedy);
    }

    public static Finding info(String object, String problem) {
        return new Finding(Severity.INFO, object, problem, "");
    }

    /** One line: object, problem and remedy. A line break in an object's name becomes a blank. */
    public String explained() {
        return Sentence.of(object + ": " + problem, remedy).replaceAll("\\p{Cntrl}", " ");
    }
}
