package io.wherry.rehearsal.cli;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.RetryableException;
import io.wherry.rehearsal.Traffic;
import io.wherry.rehearsal.WriteLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * {@code wherry traffic}: an application of a rehearsal. The application writes to the one of its servers that lets it log in, so a
 * cutover moves the application without a word to it. The application keeps the numbers of its acknowledged transactions.
 */
@Command(
        name = "traffic",
        mixinStandardHelpOptions = true,
        description = {
            "Writes to every table of a database until Ctrl-C, and notes each transaction that the server acknowledged.",
            "With --check: counts the noted transactions that the database does not hold. The database needs the tables of"
                    + " docker/databases/ledger.sql."
        },
        footer = {
            "",
            "Examples:",
            "  wherry traffic --url jdbc:postgresql://old/shop --url jdbc:postgresql://new/shop --user app"
                    + " --password-file app.txt --notes acknowledged.txt",
            "  wherry traffic --url jdbc:postgresql://new/shop --user app --password-file app.txt --notes"
                    + " acknowledged.txt --check"
        })
public final class TrafficCommand implements Callable<Integer> {
    private static final int PROGRESS_SECONDS = 30;
    private static final int RETRY_MILLIS = 500;

    @Option(
            names = "--url",
            required = true,
            description = "JDBC URL of a server; several: wherever the role can log in")
    private List<String> urls;

    @Option(names = "--user", required = true, description = "the application's role")
    private String user;

    @Option(names = "--password-file", required = true, paramLabel = "FILE", description = "holds the role's password")
    private Path passwordFile;

    @Option(names = "--rate", defaultValue = "50", description = "transactions a second (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(names = "--seed", defaultValue = "1", description = "seed of the traffic (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(
            names = "--notes",
            required = true,
            paramLabel = "FILE",
            description = "numbers of the acknowledged transactions, one a line; a later start continues the file")
    private Path notes;

    @Option(names = "--check", description = "write nothing, and count what the database has lost")
    private boolean check;

    @Spec
    private CommandSpec spec;

    private String password;

    @Override
    public Integer call() throws SQLException, InterruptedException {
        if (rate < 1) {
            throw new ConfigurationException("--rate", rate + " is not 1 or more", "See wherry traffic --help");
        }
        try {
            password = Files.readString(passwordFile).strip();
        } catch (IOException e) {
            throw unusable("--password-file", passwordFile, e, "Check that the file exists and may be read");
        }
        return check ? check() : write();
    }

    private static ConfigurationException unusable(String option, Path file, Exception failure, String remedy) {
        return new ConfigurationException(option, file + ": " + failure, remedy);
    }

    private int check() throws SQLException {
        List<Long> acknowledged;
        try (Stream<String> lines = Files.lines(notes)) {
            acknowledged = lines.map(Long::valueOf).toList();
        } catch (IOException | UncheckedIOException | NumberFormatException e) {
            throw unusable("--notes", notes, e, "Give the file that wherry traffic wrote");
        }
        try (Connection serving = any()) {
            long lost = Traffic.lost(acknowledged, serving);
            spec.commandLine().getOut().println(acknowledged.size() + " acknowledged transactions, " + lost + " lost");
            return lost == 0 && !acknowledged.isEmpty() ? ExitCode.DONE : ExitCode.DATA_DIFFER;
        }
    }

    private int write() throws SQLException, InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        CountDownLatch asked = new CountDownLatch(1);
        // Traffic without notes proves nothing, so a note that cannot be written ends the traffic.
        AtomicReference<UncheckedIOException> failure = new AtomicReference<>();
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            asked.countDown();
            awaitQuietly(ended);
        }));
        try (Writer file = Files.newBufferedWriter(notes, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            WriteLog log = new WriteLog(id -> {
                try {
                    note(file, id);
                } catch (UncheckedIOException e) {
                    failure.set(e);
                    asked.countDown();
                }
            });
            try (Traffic traffic = traffic(log, asked)) {
                traffic.start();
                while (!asked.await(PROGRESS_SECONDS, TimeUnit.SECONDS)) {
                    say(out, log);
                }
            }
            say(out, log);
            if (failure.get() != null) {
                throw failure.get();
            }
        } catch (IOException | UncheckedIOException e) {
            throw unusable("--notes", notes, e, "Check that the file may be written and that the disk is not full");
        } finally {
            ended.countDown();
        }
        return ExitCode.DONE;
    }

    private Traffic traffic(WriteLog log, CountDownLatch asked) throws SQLException, InterruptedException {
        try (Connection catalog = untilOneServes(asked)) {
            return new Traffic(this::endpoint, catalog, seed, rate, log);
        }
    }

    private static void say(PrintWriter out, WriteLog log) {
        out.println(log.count() + " transactions acknowledged, " + log.refusedCount() + " refused by constraints, "
                + log.inDoubtCount() + " in doubt, longest pause " + log.longestGapMillis(Long.MIN_VALUE) + " ms");
        out.flush();
    }

    private static void note(Writer file, long id) {
        try {
            file.write(id + "\n");
            file.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("note transaction " + id, e);
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            var unused = latch.await(PROGRESS_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // Any server may be the one that serves now. The role can log in at that one alone.
    private Endpoint endpoint() {
        return new Endpoint(urls.get(ThreadLocalRandom.current().nextInt(urls.size())), user, password);
    }

    private Connection untilOneServes(CountDownLatch asked) throws InterruptedException {
        while (true) {
            try {
                return any();
            } catch (SQLException e) {
                spec.commandLine().getErr().println("waiting for a server: " + e.getMessage());
                if (asked.await(RETRY_MILLIS, TimeUnit.MILLISECONDS)) {
                    throw new RetryableException(
                            "log in", "", e.getMessage(), "Check that role " + user + " can log in", e);
                }
            }
        }
    }

    private Connection any() throws SQLException {
        List<String> failures = new ArrayList<>();
        for (String url : urls) {
            Properties properties = new Properties();
            properties.setProperty("user", user);
            properties.setProperty("password", password);
            properties.setProperty("connectTimeout", "5");
            try {
                return DriverManager.getConnection(url, properties);
            } catch (SQLException e) {
                failures.add(url + ": " + e.getMessage());
            }
        }
        throw new SQLException(String.join("; ", failures));
    }
}
