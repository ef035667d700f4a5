package io.wherry.coordinator.traffic;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.thread.TemporaryFiles;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Moves the applications to the target. Called after the point of no return, and repeated until it succeeds. */
public interface TrafficSwitch {
    /** What {@link #move} will do, one line each. */
    List<String> plan();

    /**
     * Moves the applications. Must be idempotent: after a crash Wherry does not know whether the move had succeeded.
     *
     * @param fenceLsn LSN on the source before which everything is on the target
     * @throws RetryableException when the move failed; this method is called again
     */
    void move(String fenceLsn) throws InterruptedException;

    /** The switch that the configuration asks for. */
    static TrafficSwitch of(Flow flow) {
        if (flow.migration().cutover().traffic() instanceof Switch.Command command) {
            return new Command(flow, command.command(), command.environment());
        }
        return new None(flow);
    }

    /** Leaves the move to a person. */
    record None(Flow flow) implements TrafficSwitch {
        private static final Logger LOG = LoggerFactory.getLogger(None.class);

        @Override
        public List<String> plan() {
            return List.of("by hand: point the applications at " + flow.to().address());
        }

        @Override
        public void move(String fenceLsn) {
            LOG.info("Point the applications at {} now", flow.to().address());
        }
    }

    /**
     * Runs an executable with the facts in its environment and as JSON on its standard input, without passwords. Exit code 0 = the
     * applications use the target. Wherry's environment may hold every password of the migration: the executable inherits only
     * common variables such as PATH, and those that the configuration names.
     *
     * @param passed names of further variables that the executable inherits
     */
    record Command(Flow flow, List<String> command, List<String> passed) implements TrafficSwitch {
        private static final int OUTPUT_SHOWN = 500;
        private static final Set<String> HARMLESS = Set.of(
                "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LANGUAGE", "TZ", "TMPDIR", "JAVA_HOME");

        private boolean inherits(String variable) {
            return HARMLESS.contains(variable) || variable.startsWith("LC_") || passed.contains(variable);
        }

        @Override
        public List<String> plan() {
            return List.of("run: " + String.join(" ", command));
        }

        @Override
        public void move(String fenceLsn) throws InterruptedException {
            Map<String, String> facts = new TreeMap<>(Map.of(
                    "name", flow.migration().name(),
                    "sourceUrl", flow.from().address(),
                    "targetUrl", flow.to().address(),
                    "stateLsn", fenceLsn));
            try {
                Path output = TemporaryFiles.create("wherry-switch", ".out");
                ProcessBuilder builder =
                        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
                builder.environment().keySet().removeIf(variable -> !inherits(variable));
                builder.environment().put("WHERRY_NAME", facts.get("name"));
                builder.environment().put("WHERRY_SOURCE_URL", facts.get("sourceUrl"));
                builder.environment().put("WHERRY_TARGET_URL", facts.get("targetUrl"));
                builder.environment().put("WHERRY_STATE_LSN", fenceLsn);
                Process process = builder.start();
                write(process, Json.write(facts));
                int code = waitFor(process);
                String said = Files.readString(output, StandardCharsets.UTF_8).strip();
                Files.delete(output);
                if (code != 0) {
                    throw new RetryableException(
                            "switch",
                            command.get(0),
                            "exit code " + code + ": " + said.substring(0, Math.min(said.length(), OUTPUT_SHOWN)),
                            "Wherry runs the command again. Check that the command can succeed, or move the applications by hand");
                }
            } catch (IOException e) {
                throw new RetryableException(
                        "switch",
                        command.get(0),
                        e.getMessage(),
                        "Check that the program exists and may be executed",
                        e);
            }
        }

        private static void write(Process process, byte[] facts) throws IOException {
            try (OutputStream input = process.getOutputStream()) {
                input.write(facts);
            } catch (IOException e) {
                // A program that reads no input may have closed its input or ended; its exit code shows the result.
                if (process.isAlive() && !String.valueOf(e.getMessage()).contains("Broken pipe")) {
                    throw e;
                }
            }
        }

        private static int waitFor(Process process) throws InterruptedException {
            try {
                return process.waitFor();
            } catch (InterruptedException e) {
                process.destroy();
                throw e;
            }
        }
    }
}
