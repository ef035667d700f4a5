package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Masking;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.schema.SchemaCompare;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.verify.DataCompare;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code wherry verify}: compares both sides now, or shows and steers the proof that a coordinator carries along. */
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        description = {
            "Without ACTION: compares every row of both sides now, by hashes that the databases compute. No coordinator is needed,"
                    + " and the two databases may be any two. Rows that have not arrived yet count as different. With --schema:"
                    + " compares the output of pg_dump --schema-only instead.",
            "With ACTION: shows or steers the proof of equality that a running coordinator carries along.",
            "--repair brings rows right that the proof has found to differ: the source sends them again, and the target applies them"
                    + " among its other changes.",
            "Exit code of a comparison, of status and of start --wait: 0 = equal, 8 = rows differ, 3 = not everything is proven.",
            "Exit code of --repair: 0 = all was ordered, or with --wait found equal; 8 = a row cannot be repaired, or still differs;"
                    + " 3 = a row changes too often to be compared."
        },
        footer = {
            "",
            "Examples:",
            "  wherry verify -f m.yaml",
            "  wherry verify -f m.yaml --tables public.orders,public.items",
            "  wherry verify -f m.yaml --schema",
            "  wherry verify status -f m.yaml --watch",
            "  wherry verify start -f m.yaml",
            "  wherry verify start -f m.yaml --tables public.orders --wait",
            "  wherry verify stop -f m.yaml",
            "  wherry verify resume -f m.yaml",
            "  wherry verify status -f m.yaml --show-values",
            "  wherry verify --repair -f m.yaml --dry-run",
            "  wherry verify --repair -f m.yaml --tables public.orders --wait"
        })
final class VerifyCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Parameters(
            arity = "0..1",
            paramLabel = "ACTION",
            description = {
                "status: how far the proof is, table by table, and which rows differ",
                "start: begins a new pass of all tables or of --tables now, and ends a stop",
                "stop: passes and rechecks pause until resume or start, or until the coordinator starts again; a cutover would"
                        + " then compare more in its window",
                "resume: passes and rechecks continue",
                "repair: the same as --repair"
            })
    private Action action;

    @Option(names = "--full", description = "compare every row now; the same as no ACTION")
    private boolean full;

    @Option(
            names = "--repair",
            description =
                    "send the rows again that differ, of all tables or of --tables; see wherry verify status for these rows")
    private boolean repair;

    @Option(names = "--dry-run", description = "with --repair: only print what would be repaired")
    private boolean dryRun;

    @Option(
            names = "--tables",
            paramLabel = "TABLES",
            description =
                    "only these tables, named as in wherry tables or by patterns such as public.order*, with commas between them"
                            + " or one option for each; for a comparison now, for start and for --repair")
    private List<String> tables = new ArrayList<>();

    @Option(
            names = "--wait",
            description = {
                "with start: wait until the new pass is complete, and print its progress",
                "with --repair: wait until each row is found equal, or is known to differ still"
            })
    private boolean wait;

    @Option(names = "--watch", description = "with status: repeat every two seconds, until Ctrl-C")
    private boolean watch;

    @Option(names = "--schema", description = "compare the schemas instead of the rows")
    private boolean schema;

    @Option(names = "--json", description = "print the result as JSON")
    private boolean json;

    @Option(
            names = "--show-values",
            description = {
                "with status: also print the values of columns that differ, read now, at most 200 characters of each",
                "with --schema: with passwords in definitions"
            })
    private boolean showValues;

    @Spec
    private CommandSpec spec;

    /** What a running coordinator is asked for. */
    private enum Action {
        STATUS,
        START,
        STOP,
        RESUME,
        REPAIR
    }

    @Override
    public Integer call() throws SQLException, InterruptedException {
        if (repair) {
            refuse(action != null && action != Action.REPAIR, "--repair", "is an action of its own");
            action = Action.REPAIR;
        }
        refuseWhatDoesNotBelong();
        Migration read = migration.read();
        if (schema) {
            return compareSchemas(read);
        }
        if (action == null) {
            return compareRows(read);
        }
        PrintWriter out = spec.commandLine().getOut();
        VerifyActions proof = new VerifyActions(new CoordinatorClient(read, migration.directory(read)), out, json);
        return switch (action) {
            case STATUS -> proof.status(watch, showValues);
            case START -> proof.start(tables, wait);
            case STOP -> proof.stop();
            case RESUME -> proof.resume();
            case REPAIR ->
                new VerifyRepair(new CoordinatorClient(read, migration.directory(read)), out, json)
                        .repair(tables, dryRun, wait);
        };
    }

    /** An option that has no effect would make the operator believe that it had one. */
    private void refuseWhatDoesNotBelong() {
        refuse(full && schema, "--full", "is not for a comparison of schemas");
        refuse(full && action != null, "--full", "is a comparison now");
        refuse(schema && action != null, "--schema", "is a comparison now");
        refuse(wait && action != Action.START && action != Action.REPAIR, "--wait", "is only for start and --repair");
        refuse(dryRun && action != Action.REPAIR, "--dry-run", "is only for --repair");
        refuse(dryRun && wait, "--dry-run", "has nothing to wait for");
        refuse(
                showValues && !schema && action != Action.STATUS,
                "--show-values",
                "is only for status and for a comparison of schemas");
        refuse(watch && action != Action.STATUS, "--watch", "is only for status");
        refuse(
                !tables.isEmpty() && (schema || action != null && action != Action.START && action != Action.REPAIR),
                "--tables",
                "is only for a comparison of rows now, for start and for --repair");
    }

    private void refuse(boolean wrong, String option, String why) {
        if (wrong) {
            throw new ConfigurationException(
                    option,
                    why,
                    "Leave it out, or choose another action than "
                            + (action == null ? "none" : action.name().toLowerCase(Locale.ROOT))
                            + "; see wherry verify --help");
        }
    }

    private int compareRows(Migration read) throws SQLException, InterruptedException {
        DataCompare compare = new DataCompare(Flow.first(read));
        DataComparison found = tables.isEmpty() ? compare.run() : compare.only(tables);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(found), StandardCharsets.UTF_8));
        } else {
            found.tables()
                    .forEach(table -> out.println((table.equal() ? "equal      " : "DIFFERENT  ") + table.explained()));
            out.printf(
                    "%d tables, %,d rows compared, %,d different, %.1f s%n",
                    found.tables().size(), found.rowsCompared(), found.rowsDifferent(), found.seconds());
        }
        return found.equal() ? ExitCode.DONE : ExitCode.DATA_DIFFER;
    }

    private int compareSchemas(Migration read) throws SQLException {
        SchemaCompare.Result found = new SchemaCompare(
                        Flow.first(read), PostgresTools.locate(SchemaCopy.toolsVersion(Flow.first(read))))
                .run();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            JsonNode tree = Json.mapper().valueToTree(found);
            out.println(showValues ? tree : Masking.mask(tree));
        } else {
            found.onlyOnSource().forEach(s -> out.println(shown("only on source: " + s)));
            found.onlyOnTarget().forEach(s -> out.println(shown("only on target: " + s)));
            out.println(found.equal() ? "schemas are equal" : "schemas differ");
            if (!found.equal() && !found.exact()) {
                out.println(
                        "the role has no right to create a scratch database: differences between versions were not removed");
            }
        }
        return found.equal() ? ExitCode.DONE : ExitCode.DATA_DIFFER;
    }

    private String shown(String line) {
        return showValues ? line : Masking.mask(line);
    }
}
