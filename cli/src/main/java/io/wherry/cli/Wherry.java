package io.wherry.cli;

import io.wherry.cli.log.LogFormat;
import io.wherry.cli.log.LogText;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Masking;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.error.StuckException;
import io.wherry.contract.error.WherryException;
import io.wherry.coordinator.dump.PostgresToolsException;
import io.wherry.embedded.ServerException;
import java.sql.SQLException;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command line: {@code wherry <command>}. */
@Command(
        name = "wherry",
        mixinStandardHelpOptions = true,
        version = "wherry 0.1.0",
        description = "Moves a live PostgreSQL database to another PostgreSQL while applications keep writing.",
        subcommands = {
            CheckCommand.class,
            UpCommand.class,
            ServiceCommands.Source.class,
            ServiceCommands.Sink.class,
            ServiceCommands.Coordinator.class,
            StatusCommand.class,
            StatusCommand.Tables.class,
            LagCommand.class,
            VerifyCommand.class,
            RetryCommand.class,
            RetryCommand.Reload.class,
            CutoverCommand.class,
            AbortCommand.class,
            RebuildCommand.class,
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
            "11:failed, the operator must act",
            "75:a service hung, start again (the launcher does so)"
        },
        footer = {"", "Example:", "  wherry check -f m.yaml"})
public final class Wherry implements Runnable {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "show stack traces of failures, also in the log")
    void debug(boolean on) {
        System.setProperty(LogText.STACK_TRACES, Boolean.toString(on));
    }

    public static void main(String[] arguments) {
        run(commandLine(), arguments);
    }

    /** Executes a command, and ends the process with the command's exit code. */
    public static void run(CommandLine commands, String[] arguments) {
        OwnDirectory.begin();
        int code = ExitCode.CONFIGURATION;
        try {
            LogFormat.begin();
            code = commands.execute(arguments);
        } catch (ConfigurationException e) {
            explain(e, commands);
        }
        if (code == ExitCode.START_AGAIN) {
            // The part that hangs may also prevent an orderly exit; a watchdog ends the embedded servers.
            Runtime.getRuntime().halt(code);
        }
        System.exit(code);
    }

    /** @param more commands in addition to those of a production process */
    public static CommandLine commandLine(Object... more) {
        CommandLine commands = new CommandLine(new Wherry());
        for (Object command : more) {
            commands.addSubcommand(command);
        }
        // Settings reach only commands that have been added already.
        return commands.setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, command, parsed) -> explain(e, command));
    }

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }

    /** Prints one line for each problem, with the remedy. */
    private static int explain(Exception failure, CommandLine command) {
        if (Boolean.getBoolean(LogText.STACK_TRACES)) {
            failure.printStackTrace(command.getErr());
        }
        if (failure instanceof ConfigurationException configuration) {
            configuration.findings().stream().map(Finding::explained).distinct().forEach(line -> tell(line, command));
            return ExitCode.CONFIGURATION;
        }
        tell(Masking.mask(explained(failure)), command);
        return failure instanceof StuckException ? ExitCode.START_AGAIN : ExitCode.FAILED;
    }

    /** Where each line of the log is JSON, so is the last one. */
    private static void tell(String error, CommandLine command) {
        if (LogFormat.isJson()) {
            LoggerFactory.getLogger(Wherry.class).error("{}", error);
        } else {
            command.getErr().println("error: " + error);
        }
    }

    private static String explained(Exception failure) {
        if (failure instanceof WherryException known) {
            return known.explained();
        }
        boolean ours = failure instanceof ServerException || failure instanceof PostgresToolsException;
        String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
        if (ours) {
            // The message shows the end of a server's log, which has lines of its own.
            return message;
        }
        return Sentence.of(message, failure instanceof SQLException ? "" : "This is a defect; --debug shows where");
    }
}
