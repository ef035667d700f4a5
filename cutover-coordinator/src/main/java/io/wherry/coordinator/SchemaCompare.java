package io.wherry.coordinator;

import io.wherry.contract.Catalog;
import io.wherry.contract.Endpoint;
import io.wherry.contract.Identifiers;
import io.wherry.contract.Migration;
import io.wherry.contract.ReplicaIdentities;
import io.wherry.contract.Sessions;
import io.wherry.coordinator.DumpScript.Entry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Whether {@code pg_dump --schema-only} of both sides says the same. A server of another major version spells some things
 * differently (view texts, defaults); to leave that out, the source's dump is loaded into a scratch database on the target
 * server and dumped from there. Statements are compared as a set, without our own schema and publication.
 */
public final class SchemaCompare {
    private final Migration migration;
    private final PostgresTools tools;

    public SchemaCompare(Migration migration, PostgresTools tools) {
        this.migration = migration;
        this.tools = tools;
    }

    /**
     * @param onlyOnSource statements of the source's dump that the target's has not
     * @param throughScratch whether version noise was removed; when false and versions differ, some differences may be noise
     */
    public record Result(List<String> onlyOnSource, List<String> onlyOnTarget, boolean throughScratch) {
        public boolean equal() {
            return onlyOnSource.isEmpty() && onlyOnTarget.isEmpty();
        }
    }

    /** @throws SQLException when a side cannot be reached, or the source's schema cannot be made on the target's version */
    public Result run() throws SQLException {
        try (Connection source = Sessions.open(migration, migration.source(), "compare schema");
                Connection target = Sessions.open(migration, migration.target(), "compare schema")) {
            // Roles that are mapped to one become one in grants too, as a server of the target sees it.
            boolean alike = Catalog.majorVersion(source) == Catalog.majorVersion(target)
                    && migration.roleMap().isEmpty();
            boolean scratch = !alike
                    && Queries.truth(
                            target,
                            "SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user");
            Set<String> ofSource = scratch ? throughScratch(target) : statements(migration.source());
            ofSource = ofSource.stream()
                    .map(new RoleMap(migration.roleMap())::statement)
                    .collect(Collectors.toCollection(TreeSet::new));
            ofSource.removeAll(ReplicaIdentities.read(source, migration).statements(source));
            Set<String> ofTarget = statements(migration.target());
            return new Result(without(ofSource, ofTarget), without(ofTarget, ofSource), scratch);
        }
    }

    private Set<String> throughScratch(Connection target) throws SQLException {
        String name = "wherry_scratch_" + ProcessHandle.current().pid() + "_" + System.nanoTime();
        String encoding = Queries.string(target, "SELECT pg_catalog.current_setting('server_encoding')")
                .orElseThrow();
        Queries.execute(
                target,
                "CREATE DATABASE " + Identifiers.quote(name) + " TEMPLATE template0 ENCODING "
                        + Identifiers.literal(encoding));
        Endpoint scratch = Databases.sibling(migration.target(), name);
        try {
            try (Connection empty = Databases.openForScripts(migration, scratch, "compare schema")) {
                new SchemaCopy(migration, tools).copyInto(empty);
            }
            return statements(scratch);
        } finally {
            Queries.execute(target, "DROP DATABASE IF EXISTS " + Identifiers.quote(name));
        }
    }

    private Set<String> statements(Endpoint endpoint) throws SQLException {
        DumpTool dumpTool = new DumpTool(tools, migration);
        Path archive = null;
        try (Connection connection = Sessions.open(migration, endpoint, "compare schema")) {
            archive = Files.createTempFile("wherry-schema", ".dump");
            dumpTool.archive(endpoint, archive, Set.of());
            Set<String> known = Databases.settings(connection);
            Set<String> statements = new TreeSet<>();
            for (String section : List.of("pre-data", "post-data")) {
                for (Entry entry : DumpScript.entries(dumpTool.section(archive, section), known)) {
                    if (!DumpScript.ofPublication(entry, migration.publication())) {
                        statements.addAll(RowIndex.without(entry.statements()));
                    }
                }
            }
            return statements;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            DumpTool.delete(archive);
        }
    }

    private static List<String> without(Set<String> statements, Set<String> others) {
        List<String> rest = new ArrayList<>(statements);
        rest.removeAll(others);
        return rest;
    }
}
