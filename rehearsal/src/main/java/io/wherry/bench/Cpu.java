package io.wherry.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * CPU time of processes, from {@code /proc/PID/stat}. A server counts with its children: those that live, and those that have
 * ended, whose time the kernel adds to the server that has waited for them. The resolution is 10 ms.
 */
final class Cpu {
    /** This process: Wherry's services, and the bench itself. */
    static final String OURS = "Wherry";

    /** Programs that this process started and that have ended, like pg_dump. */
    static final String TOOLS = "tools";

    // USER_HZ, which Linux has fixed at 100 on every processor that Wherry runs on.
    private static final double TICKS_PER_SECOND = 100;
    // Fields of proc(5), counted from the one that follows the name of the program.
    private static final int OWN = 11;
    private static final int WAITED = 13;
    private static final long[] NONE = {0, 0};
    private static final int MOST_READINGS = 10;

    private final Supplier<Map<String, Long>> servers;

    /** @param servers numbers of the servers' processes, by the names under which they are reported */
    Cpu(Supplier<Map<String, Long>> servers) {
        this.servers = servers;
    }

    /**
     * CPU time by process since some moment.
     *
     * @param seconds by the names of the processes, each at least 0
     */
    record Used(Map<String, Double> seconds) {
        Used since(Used before) {
            Map<String, Double> used = new LinkedHashMap<>();
            seconds.forEach((name, now) ->
                    used.put(name, Math.max(0, now - before.seconds().getOrDefault(name, 0.0))));
            return new Used(used);
        }

        double of(String name) {
            return seconds.getOrDefault(name, 0.0);
        }

        double total() {
            return seconds.values().stream().mapToDouble(Double::doubleValue).sum();
        }
    }

    /** CPU time of all processes since each began. */
    Used now() {
        Map<String, Double> seconds = new LinkedHashMap<>();
        servers.get().forEach((name, pid) -> seconds.put(name, tree(pid)));
        long[] self = ticks(ProcessHandle.current().pid()).orElseThrow();
        seconds.put(OURS, self[0] / TICKS_PER_SECOND);
        seconds.put(TOOLS, self[1] / TICKS_PER_SECOND);
        return new Used(seconds);
    }

    /** CPU time of one process without its children; empty when there is no such process. */
    static Optional<Double> ofProcess(long pid) {
        return ticks(pid).map(ticks -> ticks[0] / TICKS_PER_SECOND);
    }

    private static double tree(long pid) {
        long[] server = ticks(pid).orElse(NONE);
        for (int reading = 1; true; reading++) {
            long children = ProcessHandle.of(pid).stream()
                    .flatMap(ProcessHandle::descendants)
                    .mapToLong(child -> sum(child.pid()))
                    .sum();
            long[] again = ticks(pid).orElse(NONE);
            // Counterexample without another reading: the backend of pg_dump ends after its server was read and before
            // the children are listed. Its time is in neither.
            if (again[1] == server[1] || reading == MOST_READINGS) {
                return (server[0] + server[1] + children) / TICKS_PER_SECOND;
            }
            server = again;
        }
    }

    private static long sum(long pid) {
        long[] ticks = ticks(pid).orElse(NONE);
        return ticks[0] + ticks[1];
    }

    /** Own time and that of the children that were waited for. */
    private static Optional<long[]> ticks(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            // The name of the program may hold blanks and parentheses.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return Optional.of(new long[] {two(fields, OWN), two(fields, WAITED)});
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static long two(String[] fields, int first) {
        return Long.parseLong(fields[first]) + Long.parseLong(fields[first + 1]);
    }
}
