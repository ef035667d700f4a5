package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A server process started by {@link ChildProcesses}. */
public final class Child {
    private static final Logger LOGGER = LoggerFactory.getLogger(Child.class);

    private final String name;
    private final Process process;
    private final String stopSignal;
    private final Path log;

    Child(String name, Process process, String stopSignal, Path log) {
        this.name = name;
        this.process = process;
        this.stopSignal = stopSignal;
        this.log = log;
    }

    String name() {
        return name;
    }

    public long pid() {
        return process.pid();
    }

    /** Whether the process runs; a suspended process runs too. */
    public boolean isAlive() {
        return process.isAlive();
    }

    /** Standard output and standard error. */
    public Path log() {
        return log;
    }

    /**
     * Fails with the end of the log if the process has ended.
     *
     * @throws ServerException when the process has ended
     */
    void requireAlive() {
        if (!process.isAlive()) {
            throw new ServerException(name + " ended with exit code " + process.exitValue() + "; the end of its log, "
                    + log + ":\n" + Directories.tail(log));
        }
    }

    /** Asks the process to end in order and waits up to {@code limit}; then kills it. */
    void stop(Duration limit) {
        askToStop();
        awaitEnd(limit);
    }

    void askToStop() {
        if (!process.isAlive()) {
            return;
        }
        // Process.destroy can only send TERM, which PostgreSQL understands as "wait until every client has gone".
        signal(stopSignal, List.of(process.toHandle()));
    }

    /** {@code SIGSTOP} to the process and all processes it has started: they hang with open connections. */
    public void suspend() {
        signal("STOP", tree());
    }

    /** Resumes a suspended process. */
    public void resume() {
        signal("CONT", tree());
    }

    private void signal(String signal, List<ProcessHandle> handles) {
        List<String> command = new ArrayList<>(List.of("kill", "-s", signal));
        handles.forEach(handle -> command.add(Long.toString(handle.pid())));
        try {
            Process kill = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            kill.waitFor();
        } catch (IOException e) {
            throw new ServerException("Cannot run `kill` on " + name + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private List<ProcessHandle> tree() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .toList();
    }

    void awaitEnd(Duration limit) {
        try {
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                LOGGER.warn("{} did not stop within {} s and is killed; its log: {}", name, limit.toSeconds(), log);
                kill();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            process.destroyForcibly();
        }
    }

    /** Kills the process and all processes it has started, as in a crash. Returns when none is left. */
    public void kill() {
        List<ProcessHandle> handles = tree();
        // The parent first: if a postmaster saw its backends die, it would start a recovery.
        handles.forEach(ProcessHandle::destroyForcibly);
        handles.forEach(handle -> handle.onExit().join());
    }
}
