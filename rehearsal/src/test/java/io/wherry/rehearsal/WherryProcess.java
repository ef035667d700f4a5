package io.wherry.rehearsal;

import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Failpoints;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The command line in a JVM of its own, set as the launcher sets it. */
final class WherryProcess {
    static final int LAUNCHER_HEAP_MEBIBYTES = 512;

    private WherryProcess() {}

    static Process start(Path log, String... arguments) {
        return start(log, LAUNCHER_HEAP_MEBIBYTES, arguments);
    }

    /** One that may die at a failpoint; it lives for seconds, and so needs no optimised code. */
    static Process startArmed(Path log, Optional<String> failpoint, String... arguments) {
        List<String> options = new ArrayList<>(List.of("-XX:TieredStopAtLevel=1"));
        failpoint.ifPresent(place -> options.add("-D" + Failpoints.PROPERTY + "=" + place));
        return start(log, LAUNCHER_HEAP_MEBIBYTES, options, arguments);
    }

    /** One of which a thread will hang, and that does not wait for it for longer than a few seconds. */
    static Process startHanging(Path log, Effect place, String... arguments) {
        return start(
                log,
                LAUNCHER_HEAP_MEBIBYTES,
                List.of("-D" + Failpoints.PROPERTY + "=" + Failpoints.hanging(place), "-D" + Ends.PROPERTY + "=5"),
                arguments);
    }

    /** One whose log is as users get it, with what is said at INFO. */
    static Process startAsShipped(Path log, String... arguments) {
        return start(
                log,
                LAUNCHER_HEAP_MEBIBYTES,
                List.of("-Dlogback.configurationFile=logback.xml", "-DWHERRY_LOG=INFO"),
                arguments);
    }

    /** @param heapMebibytes the most it may take */
    static Process start(Path log, int heapMebibytes, String... arguments) {
        return start(log, heapMebibytes, List.of(), arguments);
    }

    private static Process start(Path log, int heapMebibytes, List<String> options, String... arguments) {
        List<String> command = new ArrayList<>(JavaCommand.of(
                "-XX:MaxNewSize=128m",
                "-Xmx" + heapMebibytes + "m",
                "-XX:+UseParallelGC",
                "-XX:+ExitOnOutOfMemoryError"));
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "io.wherry.cli.Wherry"));
        command.addAll(List.of(arguments));
        try {
            return new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
