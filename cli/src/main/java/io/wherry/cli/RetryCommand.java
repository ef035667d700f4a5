package io.wherry.cli;

import io.wherry.cli.CoordinatorClient.Answer;
import io.wherry.contract.config.Migration;
import java.io.PrintWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry retry}: tables whose load failed or whose changes stopped continue. */
@Command(
        name = "retry",
        mixinStandardHelpOptions = true,
        description = "Continues tables whose load failed or whose changes stopped, once the cause is fixed.",
        footer = {"", "Examples:", "  wherry retry -f m.yaml", "  wherry retry -f m.yaml --table public.orders"})
final class RetryCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--table", paramLabel = "TABLE", description = "only this table, named as in wherry tables")
    private String table;

    @Option(names = "--json", description = "print the result as JSON")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        return order(migration, "retry", table, json, spec.commandLine().getOut());
    }

    private static int order(MigrationOption option, String order, String table, boolean json, PrintWriter out) {
        Migration read = option.read();
        String which = table == null ? "?all=true" : "?table=" + URLEncoder.encode(table, StandardCharsets.UTF_8);
        Answer answer = new CoordinatorClient(read, option.directory(read)).order("/api/" + order + which);
        if (json) {
            out.println(answer.body());
        } else {
            out.println(answer.failed() ? answer.message() : order + " was ordered; see wherry status");
        }
        return answer.failed() ? ExitCode.FAILED : ExitCode.DONE;
    }

    /** {@code wherry reload}: re-loads tables from the beginning. */
    @Command(
            name = "reload",
            mixinStandardHelpOptions = true,
            description = {
                "Re-loads tables from the beginning; their rows on the target are removed first.",
                "With --all under a new replication slot, which is the remedy for a lost slot."
            },
            footer = {
                "",
                "Examples:",
                "  wherry reload -f m.yaml --table public.orders",
                "  wherry reload -f m.yaml --all"
            })
    static final class Reload implements Callable<Integer> {
        @Mixin
        private MigrationOption migration;

        @ArgGroup(multiplicity = "1")
        private Which which;

        @Option(names = "--json", description = "print the result as JSON")
        private boolean json;

        @Spec
        private CommandSpec spec;

        /** One table or all. */
        static final class Which {
            @Option(names = "--table", paramLabel = "TABLE", description = "this table, named as in wherry tables")
            private String table;

            @Option(names = "--all", description = "all tables, under a new replication slot")
            private boolean all;
        }

        @Override
        public Integer call() {
            return order(
                    migration,
                    "reload",
                    which.all ? null : which.table,
                    json,
                    spec.commandLine().getOut());
        }
    }
}
