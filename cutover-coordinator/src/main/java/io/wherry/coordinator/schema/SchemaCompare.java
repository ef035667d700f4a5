package io.wherry.coordinator.schema;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.dump.ColumnParameters;
import io.wherry.coordinator.dump.DumpScript;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.dump.DumpTool;
import io.wherry.coordinator.dump.FormerIdentities;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import io.wherry.coordinator.sql.ScratchDatabase;
import io.wherry.coordinator.thread.TemporaryFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * Compares {@code pg_dump --schema-only} of both sides. A server of another major version writes some texts differently (views,
 * defaults). To leave such differences out, the source's dump is loaded into a scratch database on the target server and dumped
 * from there. Statements are compared as a set, without Wherry's schema and publication.
 */
public final class SchemaCompare {
    private static final int MOST = 120;

    private final Flow flow;
    private final PostgresTools tools;

    public SchemaCompare(Flow flow, PostgresTools tools) {
        this.flow = flow;
        this.tools = tools;
    }

    /**
     * @param onlyOnSource statements of the source's dump that the target's dump lacks
     * @param notFollowed what a running migration does not bring to the target, as shortened text for people: functions, views,
     *     types, rights and comments of the source, and what the source no longer has; empty if not exact
     * @param exact whether both versions are equal, or differences of wording were left out; otherwise some differences may be of
     *     wording only
     */
    public record Result(
            List<String> onlyOnSource, List<String> onlyOnTarget, List<String> notFollowed, boolean exact) {
        public boolean equal() {
            return onlyOnSource.isEmpty() && onlyOnTarget.isEmpty();
        }
    }

    /** @throws SQLException when a side cannot be reached, or the target's version cannot create the source's schema */
    public Result run() throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "compare schema");
                Connection target = Sessions.open(flow.migration(), flow.to(), "compare schema")) {
            // Roles that are mapped to one role become one role in grants too, as the target's server sees them.
            boolean alike = ServerVersion.major(source) == ServerVersion.major(target)
                    && flow.migration().roleMap().isEmpty();
            boolean scratch = !alike
                    && Queries.truth(
                            target,
                            "SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user");
            Schema ofSource = (scratch ? throughScratch(target) : schema(target, flow.from(), Optional.of(source)))
                    .with(new RoleMap(flow.migration().roleMap())::statement);
            Schema ofTarget = schema(target, flow.to(), Optional.empty());
            List<String> onlyOnSource = without(ofSource.all(), ofTarget.all());
            List<String> onlyOnTarget = without(ofTarget.all(), ofSource.all());
            boolean exact = alike || scratch;
            List<String> notFollowed = new ArrayList<>();
            if (exact) {
                without(Set.copyOf(onlyOnSource), ofSource.followed(ofTarget))
                        .forEach(statement -> notFollowed.add("on the source only: " + shortened(statement)));
                onlyOnTarget.forEach(statement -> notFollowed.add("on the target only: " + shortened(statement)));
            }
            return new Result(onlyOnSource, onlyOnTarget, notFollowed, exact);
        }
    }

    /**
     * Statements of a dump.
     *
     * @param late what comes to the target later: for each object, the statement that creates it and the statements after it
     */
    private record Schema(Set<String> all, List<List<String>> late) {
        Schema with(UnaryOperator<String> change) {
            return new Schema(
                    all.stream().map(change).collect(Collectors.toCollection(TreeSet::new)),
                    late.stream()
                            .map(statements -> statements.stream().map(change).toList())
                            .toList());
        }

        /** Settings of existing objects are not brought, such as the index of CLUSTER. */
        Set<String> followed(Schema target) {
            return late.stream()
                    .filter(statements -> !target.all().contains(statements.get(0)))
                    .flatMap(List::stream)
                    .collect(Collectors.toSet());
        }
    }

    private Schema throughScratch(Connection target) throws SQLException {
        try (ScratchDatabase database = new ScratchDatabase(target)) {
            Endpoint scratch = Databases.sibling(flow.to(), database.name());
            try (Connection empty = Databases.openForSchema(flow, scratch, "compare schema")) {
                new SchemaCopy(flow, SchemaCopy.tools(flow)).copyInto(empty);
            }
            return schema(target, scratch, Optional.empty());
        }
    }

    /** @param source source on which the migration may have changed replica identities, if the source is dumped */
    private Schema schema(Connection target, Endpoint endpoint, Optional<Connection> source) throws SQLException {
        DumpTool dumpTool = new DumpTool(tools, flow.migration());
        Path archive = null;
        try (Connection connection = Sessions.open(flow.migration(), endpoint, "compare schema")) {
            archive = TemporaryFiles.create("wherry-schema", ".dump");
            FormerIdentities identities = identities(source);
            dumpTool.archive(endpoint, archive, Set.of());
            identities = identities.and(identities(source));
            Set<String> known = Databases.settings(connection);
            Schema schema = new Schema(new TreeSet<>(), new ArrayList<>());
            for (String section : List.of("pre-data", "post-data")) {
                List<Entry> entries = identities.ofIndexes(
                        identities.ofTables(DumpScript.entries(dumpTool.section(archive, section), known)));
                Set<String> unknown = ColumnParameters.notCarried(target, entries);
                for (Entry entry : ColumnParameters.without(entries, unknown)) {
                    if (!DumpScript.ofPublication(entry, flow.publications())) {
                        List<String> statements = RowIndex.without(entry.statements());
                        schema.all().addAll(statements);
                        if (section.equals("post-data")
                                && !statements.isEmpty()
                                && !entry.kind().equals("STATISTICS")) {
                            schema.late().add(statements);
                        }
                    }
                }
            }
            return schema;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            DumpTool.delete(archive);
        }
    }

    private FormerIdentities identities(Optional<Connection> source) throws SQLException {
        return source.isPresent() ? FormerIdentities.read(source.get(), flow) : FormerIdentities.NONE;
    }

    private static String shortened(String statement) {
        String line = statement.strip().replaceAll("\\s+", " ");
        return line.length() <= MOST ? line : line.substring(0, MOST) + " …";
    }

    private static List<String> without(Set<String> statements, Set<String> others) {
        List<String> rest = new ArrayList<>(statements);
        rest.removeAll(others);
        return rest;
    }
}
