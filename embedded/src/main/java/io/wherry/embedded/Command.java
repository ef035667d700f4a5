package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs a program to its end, with its output in a log file. */
public final class Command {
    private Command() {}

    /**
     * Runs {@code command} in {@code directory} and appends its output to {@code log}.
     *
     * @throws ServerException when the command cannot be started, ends with a code other than 0, or runs longer than {@code
     *     limit}; the message shows the end of the log and then {@code remedy}
     */
    public static void run(List<String> command, Path directory, Path log, Duration limit, String remedy) {
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
        // A Maven that runs Wherry (as in tests) exports the place of its own project. A Maven that Wherry runs must
        // not inherit that.
        builder.environment()
                .keySet()
                .removeAll(List.of("MAVEN_BASEDIR", "MAVEN_PROJECTBASEDIR", "MAVEN_CMD_LINE_ARGS"));
        run(builder, log, limit, remedy);
    }

    private static void run(ProcessBuilder builder, Path log, Duration limit, String remedy) {
        String text = String.join(" ", builder.command());
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new ServerException("Cannot run `" + text + "`: " + e.getMessage() + "\n" + remedy, e);
        }
        try {
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new ServerException("`" + text + "` did not end within " + limit.toSeconds() + " s\n"
                        + Directories.tail(log) + "\n" + remedy);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServerException("Interrupted while waiting for `" + text + "`", e);
        } finally {
            process.destroyForcibly();
        }
        if (process.exitValue() != 0) {
            throw new ServerException("`" + text + "` ended with exit code " + process.exitValue() + "\n"
                    + Directories.tail(log) + "\n" + remedy);
        }
    }
}
