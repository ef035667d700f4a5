package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Owner of the server processes and throwaway directories of one run.
 *
 * <p>All are ended and removed by {@link #close()}, at Ctrl-C or TERM (a shutdown hook), and when this JVM is killed
 * outright (a {@link Watchdog}), unless {@link #keep()} was called. Servers run in sessions of their own: Ctrl-C reaches
 * only this JVM, which ends them in order.
 */
public final class ChildProcesses implements AutoCloseable {
    private static final Duration STOP_LIMIT = Duration.ofSeconds(20);

    private final Watchdog watchdog = Watchdog.start();
    private final Thread hook = new Thread(this::closeNow, "stop-servers");
    private final List<Child> children = new ArrayList<>();
    private final List<Path> directories = new ArrayList<>();
    private final List<Runnable> beforeClose = new ArrayList<>();
    private boolean keep;
    private boolean closed;

    public ChildProcesses() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** A new directory under the system's temporary directory, removed at the end. Any user may enter it. */
    public synchronized Path temporaryDirectory(String prefix) {
        try {
            Path directory = Files.createTempDirectory(prefix);
            watchdog.watchDirectory(directory);
            directories.add(directory);
            return Directories.create(directory);
        } catch (IOException e) {
            throw new ServerException("Cannot create a temporary directory " + prefix + "*: " + e.getMessage(), e);
        }
    }

    /** Has {@code action} run before the servers are stopped, at Ctrl-C as well: the last one given runs first. */
    public synchronized void beforeClose(Runnable action) {
        beforeClose.add(action);
    }

    /** Leaves every process and directory as it is at the end, whatever the end is. */
    public synchronized void keep() {
        if (!keep && !closed) {
            keep = true;
            watchdog.dismiss();
        }
    }

    /** Whether all is left as it is. */
    public synchronized boolean kept() {
        return keep;
    }

    /**
     * As {@link #start}, for a server that runs as our own user: the files that it makes, and its log, are for this user alone.
     */
    public Child startPrivate(String name, List<String> command, Path directory, Path log) {
        try {
            if (!Files.exists(log)) {
                Directories.writePrivate(log, "");
            }
        } catch (IOException e) {
            throw new ServerException("Cannot create the log " + log + ": " + e.getMessage(), e);
        }
        return start(name, privately(command), directory, log, "TERM", "KILL");
    }

    /** The command, with files that it makes for our own user alone. */
    static List<String> privately(List<String> command) {
        List<String> masked = new ArrayList<>(List.of("sh", "-c", "umask 077 && exec \"$@\"", "sh"));
        masked.addAll(command);
        return masked;
    }

    /**
     * Starts a server.
     *
     * @param stopSignal what makes it end in order
     * @param crashSignal what the watchdog sends when this JVM was killed
     * @param log takes standard output and standard error: a file, because a pipe that nobody reads would block it
     */
    public synchronized Child start(
            String name, List<String> command, Path directory, Path log, String stopSignal, String crashSignal) {
        if (closed) {
            throw new ServerException("Cannot start " + name + ": the run has been closed");
        }
        List<String> inOwnSession = new ArrayList<>(List.of("setsid"));
        inOwnSession.addAll(command);
        Process process;
        try {
            process = new ProcessBuilder(inOwnSession)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .start();
        } catch (IOException e) {
            throw new ServerException("Cannot start " + name + ": " + e.getMessage(), e);
        }
        Child child = new Child(name, process, stopSignal, log);
        children.add(child);
        if (!keep) {
            watchdog.watchProcess(child.pid(), crashSignal);
            var unused = process.onExit().thenAccept(this::forget);
        }
        return child;
    }

    private synchronized void forget(Process ended) {
        children.removeIf(child -> child.pid() == ended.pid());
        if (!closed && !keep) {
            watchdog.forgetProcess(ended.pid());
        }
    }

    /** Runs what was registered, stops all servers (up to 20 s each, then killed) and removes the directories. */
    @Override
    public void close() {
        closeNow();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is going down: hooks can no longer be removed, and ours finds nothing left to do.
            assert closed;
        }
    }

    private void closeNow() {
        List<Runnable> actions;
        synchronized (this) {
            actions = new ArrayList<>(beforeClose);
            beforeClose.clear();
        }
        // Outside the monitor: an action may well stop a server or wait for a thread that starts one.
        Collections.reverse(actions);
        actions.forEach(Runnable::run);
        List<Child> running;
        synchronized (this) {
            if (closed || keep) {
                closed = true;
                return;
            }
            closed = true;
            running = new ArrayList<>(children);
        }
        running.forEach(Child::askToStop);
        running.forEach(child -> child.awaitEnd(STOP_LIMIT));
        try {
            for (Path directory : directories) {
                Directories.delete(directory);
            }
        } catch (IOException e) {
            throw new ServerException("Cannot remove a directory of this run: " + e.getMessage(), e);
        }
        watchdog.dismiss();
    }
}
