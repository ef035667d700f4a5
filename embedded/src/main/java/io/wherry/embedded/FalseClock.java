package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A wall clock that is wrong for the processes that use it, by means of libfaketime; their monotonic clock stays right. */
public final class FalseClock {
    private static final Logger LOG = LoggerFactory.getLogger(FalseClock.class);

    private final Path library;
    private final Path file;

    private FalseClock(Path library, Path file) {
        this.library = library;
        this.file = file;
    }

    /**
     * A clock that is right until it jumps.
     *
     * @param file that says how wrong the clock is
     * @return empty where libfaketime is not available: it comes from Debian
     */
    public static Optional<FalseClock> in(Path file) throws IOException {
        if (!DebianPackages.available()) {
            return Optional.empty();
        }
        // It is loaded into programs of this machine.
        String suite = DebianPackages.ownSuite();
        Path cached;
        try {
            cached = Cache.standard()
                    .entry(
                            "faketime-" + suite,
                            partial -> DebianPackages.unpack(
                                    suite,
                                    "libfaketime",
                                    Pattern.compile("(libc6|libgcc|gcc-).*"),
                                    partial,
                                    "Without libfaketime, clocks cannot jump."));
        } catch (ServerException e) {
            LOG.warn("{}", e.getMessage());
            return Optional.empty();
        }
        try (Stream<Path> found = Files.walk(cached)) {
            Path library = found.filter(path -> path.endsWith("libfaketime.so.1"))
                    .findFirst()
                    .orElseThrow(() -> new ServerException("No libfaketime.so.1 in " + cached));
            FalseClock clock = new FalseClock(library, file);
            clock.jumpTo(0);
            return Optional.of(clock);
        }
    }

    /** Prefix of the command line of a program that uses this clock. */
    public List<String> command(List<String> program) {
        List<String> command = new ArrayList<>(List.of(
                "env",
                "LD_PRELOAD=" + library,
                "FAKETIME_TIMESTAMP_FILE=" + file,
                "FAKETIME_CACHE_DURATION=1",
                "DONT_FAKE_MONOTONIC=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                // With this fix, a timed wait of the JVM would end at once after a jump.
                "FAKETIME_FORCE_MONOTONIC_FIX=0"));
        command.addAll(program);
        return command;
    }

    /** Makes the clock jump within a second. @param seconds from the right time, negative = in the past */
    public void jumpTo(long seconds) throws IOException {
        Files.writeString(file, "%+d%n".formatted(seconds));
    }
}
