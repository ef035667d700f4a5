package io.wherry.cli.log;

import io.wherry.contract.error.ConfigurationException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * How this process logs, by {@code WHERRY_LOG}: a level, a format, or both, such as {@code json,INFO}. The logging library reads
 * the choice, as system properties, when the first logger is made.
 */
public final class LogFormat {
    private static final String VARIABLE = "WHERRY_LOG";
    private static final String LEVEL = "wherry.log.level";
    private static final String FORMAT = "wherry.log.format";
    private static final String MIGRATION = "wherry.log.migration";
    private static final String SERVICE = "wherry.log.service";
    private static final Set<String> LEVELS = Set.of("ERROR", "WARN", "INFO", "DEBUG", "TRACE");
    private static final Set<String> FORMATS = Set.of("text", "json");

    private LogFormat() {}

    /**
     * Takes the choice of this process's environment. Must come before the first logger.
     *
     * @throws ConfigurationException for a word that is neither a level nor a format
     */
    public static void begin() {
        choose(System.getProperty(
                VARIABLE, Optional.ofNullable(System.getenv(VARIABLE)).orElse("")));
    }

    static void choose(String words) {
        for (String word : words.split("[,\\s]+")) {
            if (LEVELS.contains(word.toUpperCase(Locale.ROOT))) {
                System.setProperty(LEVEL, word.toUpperCase(Locale.ROOT));
            } else if (FORMATS.contains(word.toLowerCase(Locale.ROOT))) {
                System.setProperty(FORMAT, word.toLowerCase(Locale.ROOT));
            } else if (!word.isEmpty()) {
                throw new ConfigurationException(
                        VARIABLE,
                        "'" + word + "' is not known",
                        "Write a level (ERROR, WARN, INFO, DEBUG, TRACE), a format (text, json), or both: json,INFO");
            }
        }
    }

    /** Whether each line of the log is JSON. */
    public static boolean isJson() {
        return "json".equals(System.getProperty(FORMAT));
    }

    /** From now on lines of the log name this migration: a process works on one. */
    public static void nameMigration(String name) {
        System.setProperty(MIGRATION, name);
    }

    /** From now on lines of the log that belong to no other service name this one: the process runs it alone. */
    public static void nameService(String name) {
        System.setProperty(SERVICE, name);
    }

    /** The service that this process runs alone; {@code wherry} = several, or none. */
    static String service() {
        return System.getProperty(SERVICE, "wherry");
    }

    /** The migration that this process works on; empty = not known yet. */
    static Optional<String> migration() {
        return Optional.ofNullable(System.getProperty(MIGRATION));
    }
}
