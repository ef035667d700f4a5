package io.wherry.contract.name;

import java.util.regex.Pattern;

/** Commands that messages offer, in a form that an operator can paste into a shell. */
public final class Remedies {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.]+");
    private static final String RETRY = "wherry retry --table ";
    private static final String RELOAD = "wherry reload --table ";

    private Remedies() {}

    /** Lets a table continue after the operator has removed the cause of its stop. */
    public static String retry(TableId table) {
        return RETRY + shell(table);
    }

    /** Re-loads a table from the beginning. */
    public static String reload(TableId table) {
        return RELOAD + shell(table);
    }

    /** Whether only a re-load repairs the table: if the table continued, the changes that it lacks would be left out. */
    public static boolean onlyReload(String stoppedBecause) {
        return stoppedBecause.contains(RELOAD) && !stoppedBecause.contains(RETRY);
    }

    private static String shell(TableId table) {
        String name = table.toString();
        return PLAIN.matcher(name).matches() ? name : "'" + name.replace("'", "'\\''") + "'";
    }
}
