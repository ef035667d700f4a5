package io.wherry.contract.name;

import java.util.regex.Pattern;

/** Commands that messages offer, as an operator can paste them into a shell. */
public final class Remedies {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.]+");
    private static final String RETRY = "wherry retry --table ";
    private static final String RELOAD = "wherry reload --table ";

    private Remedies() {}

    /** Lets a table go on whose cause of stopping is gone. */
    public static String retry(TableId table) {
        return RETRY + shell(table);
    }

    /** Loads a table again from the beginning. */
    public static String reload(TableId table) {
        return RELOAD + shell(table);
    }

    /** Whether only a new load makes the table right again: going on would pass over what it lacks. */
    public static boolean onlyReload(String stoppedBecause) {
        return stoppedBecause.contains(RELOAD) && !stoppedBecause.contains(RETRY);
    }

    private static String shell(TableId table) {
        String name = table.toString();
        return PLAIN.matcher(name).matches() ? name : "'" + name.replace("'", "'\\''") + "'";
    }
}
