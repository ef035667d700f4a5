package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
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
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry verify}: compares the rows or the schemas of both sides now. */
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        description = {
            "Compares every row of both sides by hashes that the databases compute. With --schema, compares",
            "the output of pg_dump --schema-only instead. Rows that have not arrived yet count as different."
        },
        footer = {"", "Examples:", "  wherry verify -f m.yaml", "  wherry verify -f m.yaml --schema"})
final class VerifyCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--schema", description = "compare the schemas instead of the rows")
    private boolean schema;

    @Option(names = "--json", description = "print the result as JSON")
    private boolean json;

    @Option(names = "--show-values", description = "with passwords in definitions")
    private boolean showValues;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws SQLException, InterruptedException {
        Migration read = migration.read();
        return schema ? compareSchemas(read) : compareRows(read);
    }

    private int compareRows(Migration read) throws SQLException, InterruptedException {
        DataComparison found = new DataCompare(Flow.first(read)).run();
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
