package io.wherry.rehearsal.cli;

import io.wherry.cli.Wherry;
import picocli.CommandLine;

/** The command line with the commands of rehearsals: {@code wherry rehearse}, {@code wherry soak}, {@code wherry bench}
 * and {@code wherry traffic}. */
public final class RehearsalCommandLine {
    private RehearsalCommandLine() {}

    public static void main(String[] arguments) {
        Wherry.run(commandLine(), arguments);
    }

    /** All commands. */
    public static CommandLine commandLine() {
        return Wherry.commandLine(new RehearseCommand(), new SoakCommand(), new BenchCommand(), new TrafficCommand());
    }
}
