package io.wherry.rehearsal;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line in a JVM of its own, set as the launcher sets it. */
final class WherryProcess {
    static final int LAUNCHER_HEAP_MEBIBYTES = 512;

    private WherryProcess() {}

    static Process start(Path log, String... arguments) {
        return start(log, LAUNCHER_HEAP_MEBIBYTES, arguments);
    }

    /** @param heapMebibytes the most it may take */
    static Process start(Path log, int heapMebibytes, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "-XX:MaxNewSize=128m",
                "-Xmx" + heapMebibytes + "m",
                "-XX:+UseParallelGC",
                "-XX:+ExitOnOutOfMemoryError",
                "-cp",
                System.getProperty("java.class.path"),
                "io.wherry.cli.Wherry"));
        command.addAll(List.of(arguments));
        try {
            return new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
