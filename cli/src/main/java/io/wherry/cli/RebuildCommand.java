package io.wherry.cli;

import io.wherry.cli.rebuild.Following;
import io.wherry.cli.rebuild.Moment;
import io.wherry.cli.rebuild.Progress;
import io.wherry.cli.rebuild.Rebuild;
import io.wherry.cli.rebuild.Refusal;
import io.wherry.cli.rebuild.Result;
import io.wherry.cli.rebuild.Wanted;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.record.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry rebuild}: another target from the topics alone. */
@Command(
        name = "rebuild",
        mixinStandardHelpOptions = true,
        description = {
            "Makes another target from the topics alone; source and first target may be switched off. The same command continues"
                    + " after a failure. Exit code 3: the topics cannot make it, or this database cannot take it; nothing was"
                    + " written."
        },
        footer = {
            "",
            "Examples:",
            "  wherry rebuild -f m.yaml --target jdbc:postgresql://other:5432/shop --password-file secret",
            "  wherry rebuild -f m.yaml --target jdbc:postgresql://other:5432/then --until 2026-05-01T12:00:00Z",
            "  wherry rebuild -f m.yaml --target jdbc:postgresql://other:5432/part --tables public.orders,public.cust*",
            "  wherry rebuild -f m.yaml --target jdbc:postgresql://other:5432/copy --follow"
        })
final class RebuildCommand implements Callable<Integer>, Rebuild.Teller {
    private static final long END_SECONDS = 60;
    private static final long EVERY_NANOS = 5_000_000_000L;

    @Mixin
    private MigrationOption migration;

    @Option(
            names = "--target",
            required = true,
            paramLabel = "URL",
            description = "JDBC URL of the new database, which must be empty")
    private String target;

    @Option(names = "--user", paramLabel = "NAME", description = "role on the new database (default: target.user)")
    private String user;

    @Option(
            names = "--password-file",
            paramLabel = "FILE",
            description = "file with the role's password (default: target.password)")
    private Path password;

    @Option(
            names = "--until",
            paramLabel = "LSN|TIME",
            description =
                    "stop every table at the last source commit at or before this moment: an LSN, or a time with its"
                            + " zone such as 2026-05-01T12:00:00Z (default: as late as the topics reach)")
    private String until;

    @Option(
            names = "--tables",
            paramLabel = "TABLES",
            description =
                    "only these tables, named as in wherry tables or by patterns such as public.order*, with commas"
                            + " between them or one option for each; the result names what is left out for that")
    private List<String> tables = new ArrayList<>();

    @Option(
            names = "--follow",
            description =
                    "keep the database up to date with the topics until Ctrl-C; foreign keys, triggers and values of"
                            + " sequences come when the command is given without --follow, which ends it")
    private boolean follow;

    @Option(names = "--json", description = "print progress and result as JSON lines")
    private boolean json;

    @Spec
    private CommandSpec spec;

    private PrintWriter out;
    private long shownNanos = System.nanoTime() - EVERY_NANOS;

    @Override
    public Integer call() throws Exception {
        out = spec.commandLine().getOut();
        Migration read = migration.read();
        Endpoint endpoint = endpoint(read);
        if (until != null && follow) {
            throw new ConfigurationException("--follow", "has no end, and --until is one", "Leave out one of the two");
        }
        if (until != null) {
            Moment.parse(until);
        }
        try (Broker broker = Broker.start(read, migration.directory(read))) {
            Rebuild rebuild = new Rebuild(broker.migration(), new Wanted(endpoint, until, follow, tables), this);
            if (follow) {
                follow(broker, rebuild);
            } else {
                tell(rebuild.run());
            }
            return ExitCode.DONE;
        } catch (Refusal refusal) {
            tell(refusal);
            return ExitCode.NOT_IN_SYNC;
        }
    }

    private Endpoint endpoint(Migration read) {
        if (!target.startsWith("jdbc:postgresql:")) {
            throw new ConfigurationException(
                    "--target", "is not a JDBC URL", "Write jdbc:postgresql://host:5432/database");
        }
        try {
            return new Endpoint(
                    target,
                    user == null ? read.target().user() : user,
                    password == null
                            ? read.target().password()
                            : Files.readString(password).strip());
        } catch (IOException e) {
            throw new ConfigurationException("--password-file", "cannot be read: " + e.getMessage(), "");
        }
    }

    /** Until Ctrl-C or SIGTERM; the process ends once nothing is written any more. */
    private void follow(Broker broker, Rebuild rebuild) throws Refusal, SQLException, InterruptedException {
        AtomicBoolean asked = new AtomicBoolean();
        CountDownLatch ended = new CountDownLatch(1);
        Runnable end = () -> {
            asked.set(true);
            awaitEnd(ended);
        };
        Runtime.getRuntime().addShutdownHook(new Thread(end, "wherry-shutdown"));
        broker.beforeClose(end);
        try {
            Following last = rebuild.follow(asked::get);
            if (json) {
                print(Map.of("stopped", last));
            } else {
                out.println("Stopped at commit " + last.commitLsn()
                        + ". The same command continues. Foreign keys, triggers and"
                        + " values of sequences are not there yet: the command without --follow ends the rebuild");
            }
            out.flush();
        } finally {
            ended.countDown();
        }
    }

    private static void awaitEnd(CountDownLatch ended) {
        try {
            if (!ended.await(END_SECONDS, TimeUnit.SECONDS)) {
                // What is in progress is rolled back with the process.
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void following(Following following) {
        if (!due()) {
            return;
        }
        if (json) {
            print(Map.of("following", following));
        } else {
            out.printf(
                    "everything up to commit %s is here, %s; %d of %d tables loaded%n",
                    following.commitLsn(),
                    following.ageMillis() == null
                            ? "age unknown"
                            : String.format(Locale.ROOT, "%.1f s old", following.ageMillis() / 1e3),
                    following.tables(),
                    following.tablesWanted());
            following.stopped().forEach(line -> out.println("stopped: " + line));
            following.waits().forEach(line -> out.println("waits: " + line));
        }
        out.flush();
    }

    private boolean due() {
        boolean due = System.nanoTime() - shownNanos >= EVERY_NANOS;
        shownNanos = due ? System.nanoTime() : shownNanos;
        return due;
    }

    @Override
    public void progress(Progress progress) {
        if (!due()) {
            return;
        }
        if (json) {
            print(Map.of("progress", progress));
        } else {
            out.printf(
                    "%,d of %,d chunks loaded, %,d of %,d records applied, %d of %d tables complete, %s%n",
                    progress.chunks(),
                    progress.chunksWanted(),
                    progress.records(),
                    progress.recordsWanted(),
                    progress.tables(),
                    progress.tablesWanted(),
                    progress.secondsLeft() == null
                            ? "time left unknown"
                            : "about " + progress.secondsLeft() + " s left before the end's statements");
        }
        out.flush();
    }

    @Override
    public void step(String text) {
        if (json) {
            print(Map.of("step", text));
        } else {
            out.println(text);
        }
        out.flush();
    }

    private void tell(Refusal refusal) {
        if (json) {
            print(Map.of("refused", refusal.findings()));
        } else {
            List<Finding> findings = refusal.findings();
            findings.forEach(finding -> spec.commandLine().getErr().println("error: " + finding.explained()));
        }
    }

    private void tell(Result result) {
        if (json) {
            print(Map.of("result", result));
            return;
        }
        out.printf(
                "%s: %d tables as of commit %s, %s; %,d rows loaded, %,d changes applied%n",
                result.already() ? "This database was rebuilt already" : "Rebuilt",
                result.tables(),
                result.commitLsn(),
                Instant.ofEpochMilli(result.commitMillis()),
                result.rowsLoaded(),
                result.changesApplied());
        result.missing().forEach(line -> out.println("missing: " + line));
        result.leftOut().forEach(line -> out.println("left out: " + line));
        out.println("Compare it with a database that stands at the same commit before you rely on it"
                + " (docs/operations.md, Rebuild)");
    }

    private void print(Map<String, ?> line) {
        out.println(new String(Json.write(line), java.nio.charset.StandardCharsets.UTF_8));
    }
}
