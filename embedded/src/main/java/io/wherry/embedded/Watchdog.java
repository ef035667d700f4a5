package io.wherry.embedded;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A shell that outlives this JVM just long enough to end its children and remove its directories.
 *
 * <p>It reads its tasks from a pipe whose other end only this JVM holds: however the JVM dies, the pipe ends. The shell runs in a
 * session of its own, so that Ctrl-C on the terminal does not reach it.
 */
final class Watchdog {
    private static final String SCRIPT = """
            trap '' INT TERM HUP
            line_end='
            '
            entries='' directories='' keep=''
            while read -r verb subject; do
              case $verb in
                pid) entries="$entries$subject$line_end" ;;
                gone) entries=$(printf '%s' "$entries" | grep -v "^$subject "; echo .); entries=${entries%.} ;;
                dir) directories="$directories$subject$line_end" ;;
                keep) keep=yes ;;
              esac
            done
            [ -z "$keep" ] || exit 0
            each_process() { printf '%s' "$entries" | while read -r pid signal; do "$1" "$pid" "$signal"; done; }
            end() { kill -s "$2" "$1"; }
            end_now() { kill -s KILL "$1"; }
            await_end() {
              waited=0
              while kill -0 "$1" && [ $waited -lt 50 ]; do sleep 0.1; waited=$((waited + 1)); done
            }
            each_process end
            each_process await_end
            each_process end_now
            printf '%s' "$directories" | while read -r directory; do
              rm -rf -- "$directory" || { sleep 1; rm -rf -- "$directory"; }
            done
            """;

    private final BufferedWriter pipe;

    private Watchdog(BufferedWriter pipe) {
        this.pipe = pipe;
    }

    static Watchdog start() {
        try {
            Process process = new ProcessBuilder("setsid", "sh", "-c", SCRIPT)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .directory(Path.of("/").toFile())
                    .start();
            return new Watchdog(process.outputWriter(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new ServerException(
                    "Cannot start the watchdog: " + e.getMessage()
                            + "\n`setsid` (util-linux) and `sh` must be installed.",
                    e);
        }
    }

    /** Registers a process: when this JVM dies, it gets {@code signal}, and KILL 5 s later. */
    void watchProcess(long pid, String signal) {
        tell("pid " + pid + " " + signal);
    }

    /** Removes a process that has ended: its number may soon belong to another process. */
    void forgetProcess(long pid) {
        tell("gone " + pid);
    }

    /** Registers a directory that is removed when this JVM dies. */
    void watchDirectory(Path directory) {
        tell("dir " + directory);
    }

    /** Ends the watchdog without any cleanup. */
    synchronized void dismiss() {
        tell("keep");
        try {
            pipe.close();
        } catch (IOException e) {
            throw new ServerException("The watchdog did not end when asked to: " + e.getMessage(), e);
        }
    }

    private synchronized void tell(String line) {
        try {
            pipe.write(line);
            pipe.newLine();
            pipe.flush();
        } catch (IOException e) {
            throw new ServerException("The watchdog is gone: " + e.getMessage() + "\nStart the command again.", e);
        }
    }
}
