package io.wherry.cli;

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
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
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
            "  wherry rebuild -f m.yaml --target jdbc:postgresql://other:5432/part --tables public.orders,public.cust*"
        })
final class RebuildCommand implements Callable<Integer> {
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
        if (until != null) {
            Moment.parse(until);
        }
        try (Broker broker = Broker.start(read, migration.directory(read))) {
            tell(new Rebuild(broker.migration(), new Wanted(endpoint, until, tables), this::show, this::step).run());
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

    private void show(Progress progress) {
        if (System.nanoTime() - shownNanos < EVERY_NANOS) {
            return;
        }
        shownNanos = System.nanoTime();
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

    private void step(String text) {
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
