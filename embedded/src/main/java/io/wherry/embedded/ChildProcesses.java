package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Owner of the server processes and temporary directories of one run.
 *
 * <p>All processes are ended and all directories removed by {@link #close()}, at Ctrl-C or TERM (a shutdown hook), and when this
 * JVM is killed outright (a {@link Watchdog}), unless {@link #keep()} was called. Servers run in sessions of their own: Ctrl-C
 * reaches only this JVM, and this JVM ends them in order.
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

    /** A new directory under the system's temporary directory; every user may enter it. It is removed at the end. */
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

    /** Runs {@code action} before the servers are stopped, also at Ctrl-C. The action added last runs first. */
    public synchronized void beforeClose(Runnable action) {
        beforeClose.add(action);
    }

    /** Leaves every process and directory as it is at the end, however the run ends. */
    public synchronized void keep() {
        if (!keep && !closed) {
            keep = true;
            watchdog.dismiss();
        }
    }

    /** Whether processes and directories are left as they are. */
    public synchronized boolean kept() {
        return keep;
    }

    /**
     * As {@link #start}, for a server that runs as the user who runs Wherry: only this user may read the server's files and log.
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

    /** The command; only the user who runs Wherry may read the files that it creates. */
    static List<String> privately(List<String> command) {
        List<String> masked = new ArrayList<>(List.of("sh", "-c", "umask 077 && exec \"$@\"", "sh"));
        masked.addAll(command);
        return masked;
    }

    /**
     * Starts a server.
     *
     * @param stopSignal signal that makes the server end in order
     * @param crashSignal signal that the watchdog sends when this JVM was killed
     * @param log gets standard output and standard error: a file, because a pipe that no process reads would block the server
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

    /** Numbers of the processes that run, by the name of each server; of several of one name, the one started last. */
    public synchronized Map<String, Long> pids() {
        Map<String, Long> pids = new TreeMap<>();
        children.forEach(child -> pids.put(child.name(), child.pid()));
        return pids;
    }

    private synchronized void forget(Process ended) {
        children.removeIf(child -> child.pid() == ended.pid());
        if (!closed && !keep) {
            watchdog.forgetProcess(ended.pid());
        }
    }

    /** Runs the registered actions, stops all servers (up to 20 s each, then kills them) and removes the directories. */
    @Override
    public void close() {
        closeNow();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is ending: hooks can no longer be removed, and this hook finds nothing left to do.
            assert closed;
        }
    }

    private void closeNow() {
        List<Runnable> actions;
        synchronized (this) {
            actions = new ArrayList<>(beforeClose);
            beforeClose.clear();
        }
        // Outside the monitor: an action may stop a server or wait for a thread that starts one.
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
