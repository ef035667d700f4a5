package io.wherry.coordinator;

import io.wherry.contract.Catalog;
import io.wherry.contract.DataException;
import io.wherry.contract.Migration;
import io.wherry.contract.ReplicaIdentities;
import io.wherry.contract.Sessions;
import io.wherry.contract.TableId;
import io.wherry.contract.TargetState;
import io.wherry.coordinator.DeferredDdl.Ddl;
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
import java.util.stream.Collectors;

/**
 * Brings the source's schema to the target: what tables need at once (pg_dump's pre-data section), and the rest into
 * {@code wherry.ddl} for later, so that a restarted coordinator goes on with the same dump.
 */
public final class SchemaCopy {
    // A view that reads another is listed after it: a view can only be made once what it reads exists, so its oid is
    // higher.
    private static final String REFRESHES = """
            SELECT 'REFRESH MATERIALIZED VIEW ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'wherry'
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                  AND d.objid = c.oid AND d.deptype = 'e')
             ORDER BY c.oid
            """;

    private final Migration migration;
    private final DumpTool dumpTool;

    public SchemaCopy(Migration migration, PostgresTools tools) {
        this.migration = migration;
        this.dumpTool = new DumpTool(tools, migration);
    }

    /** Major version that pg_dump must have at least: the newer one of both servers. */
    public static int toolsVersion(Migration migration) throws SQLException {
        try (Connection source = Sessions.open(migration, migration.source(), "check");
                Connection target = Sessions.open(migration, migration.target(), "check")) {
            return Math.max(Catalog.majorVersion(source), Catalog.majorVersion(target));
        }
    }

    /**
     * Makes schema {@code wherry}, the tables, and the journal's first row, in one transaction: after a crash either all of it
     * is there or nothing.
     *
     * @throws SQLException when a statement of the dump fails on the target; nothing is changed then
     */
    public void run() throws SQLException {
        Dump dump = migration.schema() == Migration.TargetSchemaMode.CREATE ? dump() : Dump.EMPTY;
        try (Connection target = Databases.openForScripts(migration, migration.target(), "schema")) {
            Set<String> known = Databases.settings(target);
            boolean superuser = Queries.superuser(target);
            target.setAutoCommit(false);
            TargetState.create(target);
            Queries.update(
                    target,
                    "INSERT INTO wherry.migration (name, source_system) VALUES (?, ?)",
                    migration.name(),
                    dump.sourceSystem());
            List<Entry> preData = preData(dump, known);
            List<Entry> postData = new ArrayList<>(postData(dump, known));
            postData.addAll(DatabaseEntries.of(
                    DumpScript.entries(dump.database(), known), target.getCatalog(), new RoleMap(migration.roleMap())));
            String script = DumpScript.script(preData, migration.publication(), superuser);
            if (!script.isEmpty()) {
                Queries.execute(target, script);
            }
            DdlStore.insert(
                    target, DeferredDdl.plan(postData, migration.publication(), dump.loaded(), dump.refreshes()));
            Journal.first(target);
            target.commit();
        }
    }

    /** Loads the source's whole schema into an empty database, without data and without our state; for comparisons. */
    void copyInto(Connection empty) throws SQLException {
        Dump dump = dump();
        Set<String> known = Databases.settings(empty);
        List<Entry> preData = preData(dump, known);
        List<Entry> postData = postData(dump, known);
        Queries.execute(empty, DumpScript.script(preData, migration.publication(), Queries.superuser(empty)));
        for (Ddl ddl : DeferredDdl.plan(postData, migration.publication(), dump.loaded(), List.of())) {
            Queries.execute(empty, ddl.sql());
        }
    }

    private record Dump(
            String sourceSystem,
            String preData,
            long preDataEntries,
            String postData,
            long postDataEntries,
            String database,
            Set<TableId> loaded,
            List<String> refreshes,
            List<String> ours) {
        static final Dump EMPTY = new Dump("", "", 0, "", 0, "", Set.of(), List.of(), List.of());
    }

    private Dump dump() throws SQLException {
        Path archive = null;
        try (Connection source = Sessions.open(migration, migration.source(), "schema")) {
            archive = Files.createTempFile("wherry-schema", ".dump");
            dumpTool.archive(migration.source(), archive);
            return new Dump(
                    Queries.string(source, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()")
                            .orElse(""),
                    dumpTool.section(archive, "pre-data"),
                    dumpTool.entries(archive, "pre-data"),
                    dumpTool.section(archive, "post-data"),
                    dumpTool.entries(archive, "post-data"),
                    dumpTool.database(archive),
                    Catalog.selected(source, migration).stream()
                            .map(Catalog.Table::id)
                            .collect(Collectors.toSet()),
                    Queries.strings(source, REFRESHES),
                    // Read after the dump: what is set in between is in the note and not in the dump.
                    ReplicaIdentities.read(source, migration).statements(source));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            DumpTool.delete(archive);
        }
    }

    /** Without the replica identities that the migration itself has set on the source. */
    private List<Entry> preData(Dump dump, Set<String> known) {
        return DumpScript.without(
                mapped(entries(dump.preData(), known, dump.preDataEntries(), "pre-data")), dump.ours());
    }

    private List<Entry> postData(Dump dump, Set<String> known) {
        return mapped(entries(dump.postData(), known, dump.postDataEntries(), "post-data"));
    }

    private List<Entry> mapped(List<Entry> entries) {
        RoleMap roles = new RoleMap(migration.roleMap());
        return entries.stream().map(entry -> entry.with(roles::statement)).toList();
    }

    /** @throws DataException when we read another number of entries than pg_restore: a statement would be lost */
    private static List<Entry> entries(String script, Set<String> known, long expected, String section) {
        List<Entry> entries = DumpScript.entries(script, known);
        if (entries.size() != expected) {
            throw new DataException(
                    "read",
                    "pg_dump's " + section,
                    entries.size() + " entries found where pg_restore counts " + expected,
                    "Report this with the output of pg_dump --schema-only of the source");
        }
        return entries;
    }
}
