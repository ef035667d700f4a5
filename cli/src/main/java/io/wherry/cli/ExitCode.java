package io.wherry.cli;

/** Exit codes of every command, part of the public contract. */
public final class ExitCode {
    public static final int DONE = 0;
    public static final int FAILED = 1;
    public static final int CONFIGURATION = 2;
    public static final int NOT_IN_SYNC = 3;
    public static final int DATA_DIFFER = 8;
    public static final int ABORTED = 10;
    public static final int NEEDS_HUMAN = 11;
    /** A service hung: the process ended itself and must be started again, which the launcher does. */
    public static final int START_AGAIN = 75;

    private ExitCode() {}
}
