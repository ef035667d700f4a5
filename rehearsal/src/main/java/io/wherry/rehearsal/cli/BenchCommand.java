package io.wherry.rehearsal.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code wherry bench}: measurements of Wherry beside what others do for the same, on servers of its own. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        description =
                "Measures Wherry beside what others do for the same, on temporary embedded servers of its own. Both run"
                        + " in turns, and both sides are compared after each run. Figures count only on a machine that does nothing else.",
        subcommands = {
            BenchPassCommand.class,
            BenchWindowCommand.class,
            BenchWitnessCommand.class,
            BenchCatchupCommand.class,
            BenchLagCommand.class,
            BenchLoadCommand.class,
            BenchRebuildCommand.class
        },
        footer = {"", "Example:", "  wherry bench pass --rows 1000000"})
public final class BenchCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
