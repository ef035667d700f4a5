package io.wherry.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What a measurement ran on.
 *
 * @param cores that this process may use
 * @param model of the processor; empty = the kernel does not name it
 * @param memoryBytes of the machine
 * @param load average of the last minute when the bench began; above 0.3 or so, other work ran too
 */
public record Machine(int cores, String model, long memoryBytes, String kernel, String java, double load) {
    private static final int KIBI = 1024;

    /** This machine now. */
    static Machine read() {
        return new Machine(
                Runtime.getRuntime().availableProcessors(),
                after(lines("/proc/cpuinfo"), "model name"),
                Long.parseLong(after(lines("/proc/meminfo"), "MemTotal").split(" ")[0]) * KIBI,
                lines("/proc/sys/kernel/osrelease").get(0),
                Runtime.version().toString(),
                Double.parseDouble(lines("/proc/loadavg").get(0).split(" ")[0]));
    }

    private static String after(List<String> lines, String label) {
        return lines.stream()
                .filter(line -> line.startsWith(label))
                .findFirst()
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .orElse("");
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
