package io.wherry.soak;

import io.wherry.embedded.Child;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.Directories;
import io.wherry.embedded.FalseClock;
import io.wherry.embedded.JavaCommand;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The services of an episode, each in its own process, and the supervisor that every installation has: a service that ends by
 * itself is started again after a second.
 */
final class Fleet implements AutoCloseable {
    private static final long RESTART_MILLIS = 1000;

    enum Role {
        SOURCE,
        SINK,
        COORDINATOR;

        String command() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private record Instance(Child child, Path file) {}

    private final ChildProcesses processes;
    private final Path directory;
    private final List<Path> files;
    private final Map<Role, FalseClock> clocks = new EnumMap<>(Role.class);
    private final Map<Role, Deque<Instance>> instances = new EnumMap<>(Role.class);
    private final List<String> ended = new ArrayList<>();
    private final Thread supervisor = new Thread(this::supervise, "soak-supervisor");
    private boolean closed;

    /**
     * @param directory for the services' logs
     * @param files of the migration, one for each instance of a service: the files differ only by the HTTP port
     */
    Fleet(ChildProcesses processes, Path directory, List<Path> files) throws IOException {
        this.processes = processes;
        this.directory = directory;
        this.files = files;
        for (Role role : Role.values()) {
            instances.put(role, new ArrayDeque<>());
            FalseClock.in(directory.resolve(role.command() + ".clock")).ifPresent(clock -> clocks.put(role, clock));
            start(role);
        }
        supervisor.setDaemon(true);
        supervisor.start();
    }

    /** Starts one more instance. */
    synchronized void start(Role role) {
        Path log = directory.resolve(role.command() + ".log");
        List<Path> used = instances.get(role).stream().map(Instance::file).toList();
        Path file = files.stream().filter(f -> !used.contains(f)).findFirst().orElseThrow();
        List<String> command = JavaCommand.of(
                "-Xmx320m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+ExitOnOutOfMemoryError",
                "-Xshare:auto",
                "-DWHERRY_LOG=INFO",
                "-cp",
                System.getProperty("java.class.path"),
                "io.wherry.cli.Wherry",
                role.command(),
                "-f",
                file.toString(),
                "--data",
                directory.resolve("state").toString());
        FalseClock clock = clocks.get(role);
        Child child = processes.start(
                role.command(), clock == null ? command : clock.command(command), directory, log, "TERM", "KILL");
        instances.get(role).add(new Instance(child, file));
    }

    /** The wall clock of all instances of a service; empty when it cannot be set on this machine. */
    Optional<FalseClock> clock(Role role) {
        return Optional.ofNullable(clocks.get(role));
    }

    /** The instance that has run longest. */
    synchronized Child oldest(Role role) {
        return instances.get(role).getFirst().child();
    }

    /** {@code kill -9} of the instance that has run longest; the caller starts the next one. */
    synchronized void killOldest(Role role) {
        // First removed from the list: the supervisor must not see this as an end by itself.
        instances.get(role).removeFirst().child().kill();
    }

    /** The services that ended by themselves, with the last line of each log. */
    synchronized List<String> ended() {
        return List.copyOf(ended);
    }

    private void supervise() {
        try {
            while (lookAfter()) {
                Thread.sleep(RESTART_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized boolean lookAfter() {
        if (closed) {
            return false;
        }
        instances.forEach((role, running) -> {
            List<Instance> gone =
                    running.stream().filter(i -> !i.child().isAlive()).toList();
            for (Instance instance : gone) {
                running.remove(instance);
                String log = Directories.tail(instance.child().log()).strip();
                ended.add(role.command() + ": " + log.substring(log.lastIndexOf('\n') + 1));
                start(role);
            }
        });
        return true;
    }

    @Override
    public synchronized void close() {
        closed = true;
        instances.values().forEach(running -> running.forEach(i -> i.child().kill()));
    }
}
