package io.wherry.cli;

import io.wherry.contract.ConfigurationException;
import io.wherry.contract.StuckException;
import io.wherry.contract.WherryException;
import io.wherry.coordinator.PostgresToolsException;
import io.wherry.rehearsal.ServerException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command line: {@code wherry <command>}. */
@Command(
        name = "wherry",
        mixinStandardHelpOptions = true,
        version = "wherry 0.1.0",
        description = "Moves a live PostgreSQL database to another PostgreSQL while applications keep writing.",
        subcommands = {
            RehearseCommand.class,
            SoakCommand.class,
            CheckCommand.class,
            UpCommand.class,
            ServiceCommands.Source.class,
            ServiceCommands.Sink.class,
            ServiceCommands.Coordinator.class,
            StatusCommand.class,
            StatusCommand.Tables.class,
            StatusCommand.LagCommand.class,
            VerifyCommand.class,
            RetryCommand.class,
            RetryCommand.Reload.class,
            CutoverCommand.class,
            AbortCommand.class,
            CommandLine.HelpCommand.class
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done",
            "1:failed",
            "2:usage or configuration",
            "3:gate not met (not in sync)",
            "8:data differ",
            "10:cutover aborted, the source serves",
            "11:needs a human",
            "75:a service hung, start it again (the launcher does)"
        },
        footer = {"", "Example:", "  wherry rehearse --rows 200000 --rate 500"})
public final class Wherry implements Runnable {
    @Spec
    private CommandSpec spec;

    public static void main(String[] arguments) {
        int code = commandLine().execute(arguments);
        if (code == ExitCode.START_AGAIN) {
            // What hangs may be in the way of an orderly exit too; embedded servers have a watchdog.
            Runtime.getRuntime().halt(code);
        }
        System.exit(code);
    }

    static CommandLine commandLine() {
        return new CommandLine(new Wherry())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, command, parsed) -> explain(e, command));
    }

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }

    /** Every failure is one line a problem with what to do; only a defect shows its stack. */
    private static int explain(Exception failure, CommandLine command) {
        if (failure instanceof ConfigurationException configuration) {
            configuration.findings().forEach(f -> command.getErr().println("error: " + f.explained()));
            return ExitCode.CONFIGURATION;
        }
        if (failure instanceof WherryException known) {
            command.getErr().println("error: " + known.explained());
            if (known instanceof StuckException) {
                return ExitCode.START_AGAIN;
            }
        } else if (failure instanceof ServerException || failure instanceof PostgresToolsException) {
            command.getErr().println("error: " + failure.getMessage());
        } else {
            failure.printStackTrace(command.getErr());
        }
        return ExitCode.FAILED;
    }
}
