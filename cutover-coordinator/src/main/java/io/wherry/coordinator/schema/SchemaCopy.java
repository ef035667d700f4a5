package io.wherry.coordinator.schema;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TargetState;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.carry.ExtensionTables;
import io.wherry.coordinator.carry.MaterializedViews;
import io.wherry.coordinator.dump.ColumnParameters;
import io.wherry.coordinator.dump.DatabaseEntries;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.dump.DumpScript;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.dump.DumpTool;
import io.wherry.coordinator.dump.FormerIdentities;
import io.wherry.coordinator.dump.PartitionedKeys;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import io.wherry.coordinator.thread.TemporaryFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the source's schema to the target: what tables need at once (pg_dump's pre-data section), and the rest into
 * {@code wherry.ddl} for later, so that a restarted coordinator goes on with the same dump.
 */
public final class SchemaCopy {
    private static final Logger LOG = LoggerFactory.getLogger(SchemaCopy.class);

    private static final Set<Stage> AT_SWITCH = Set.of(Stage.SWITCH, Stage.AFTER);
    private static final String PARTITIONED = """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'p' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
            """;

    private final Migration migration;
    private final DumpTool dumpTool;

    public SchemaCopy(Migration migration, PostgresTools tools) {
        this.migration = migration;
        this.dumpTool = new DumpTool(tools, migration);
    }

    /** Major version that pg_dump must have at least to compare: the newer one of both servers. */
    public static int toolsVersion(Migration migration) throws SQLException {
        try (Connection source = Sessions.open(migration, migration.source(), "check");
                Connection target = Sessions.open(migration, migration.target(), "check")) {
            return Math.max(ServerVersion.major(source), ServerVersion.major(target));
        }
    }

    /** The client programs that copy the source's schema: its own version's, where there are some. */
    public static PostgresTools tools(Migration migration) throws SQLException {
        int source;
        try (Connection session = Sessions.open(migration, migration.source(), "check")) {
            source = ServerVersion.major(session);
        }
        return PostgresTools.locate(source);
    }

    /**
     * Makes schema {@code wherry}, the tables, and the journal's first row, in one transaction: after a crash either all of it
     * is there or nothing.
     *
     * @throws SQLException when a statement of the dump fails on the target; nothing is changed then
     */
    public void run() throws SQLException {
        Dump dump = migration.schema() == Migration.TargetSchemaMode.CREATE ? dump(Set.of()) : Dump.EMPTY;
        try (Connection target = Databases.openForSchema(migration, migration.target(), "schema")) {
            Set<String> known = Databases.settings(target);
            boolean superuser = Queries.superuser(target);
            target.setAutoCommit(false);
            TargetState.create(target);
            Queries.update(
                    target,
                    "INSERT INTO wherry.migration (name, source_system, deferred) VALUES (?, ?, ?)",
                    migration.name(),
                    dump.sourceSystem(),
                    dump.deferred());
            List<Entry> preData = preData(target, dump, known);
            String script = DumpScript.script(preData, migration.publication(), superuser);
            if (!script.isEmpty()) {
                Optional<String> path = Databases.searchPath(target);
                Queries.execute(target, script);
                restore(target, path);
            }
            extensionRows(target);
            DdlStore.insert(target, deferred(target, dump, known));
            Journal.first(target);
            target.commit();
        }
    }

    /** An extension's script may set the database's search_path (PostGIS's topology); the source's comes with the switch. */
    private static void restore(Connection target, Optional<String> path) throws SQLException {
        if (!Databases.searchPath(target).equals(path)) {
            Queries.execute(
                    target,
                    "ALTER DATABASE " + Identifiers.quote(target.getCatalog())
                            + path.map(value -> " SET search_path = " + value).orElse(" RESET search_path"));
        }
    }

    /** With the schema: what is computed while rows are loaded may need them, as a transformation needs its coordinate system. */
    public void extensionRows(Connection target) throws SQLException {
        try (Connection source = Sessions.open(migration, migration.source(), "schema")) {
            new ExtensionRows(migration).bring(source, target, ExtensionTables.When.EARLY);
        }
    }

    /**
     * Makes tables and sequences that came to the source later, with the partitioned tables that they are partitions of; the rest of their
     * dump goes into {@code wherry.ddl}. Part of the caller's transaction.
     *
     * @throws SQLException when the target refuses a statement, for the want of a type perhaps
     */
    public void add(Connection target, Set<TableId> wanted) throws SQLException {
        Set<TableId> tables = new HashSet<>(wanted);
        // Who asks has looked some time ago.
        tables.removeAll(SelectedTables.namesWithPartitioned(target, migration));
        if (tables.isEmpty()) {
            return;
        }
        Set<TableId> parents;
        try (Connection source = Sessions.open(migration, migration.source(), "schema")) {
            parents = new HashSet<>(
                    Queries.list(source, row -> new TableId(row.getString(1), row.getString(2)), PARTITIONED));
        }
        parents.removeAll(
                Set.copyOf(Queries.list(target, row -> new TableId(row.getString(1), row.getString(2)), PARTITIONED)));
        Set<TableId> all = new HashSet<>(parents);
        all.addAll(tables);
        for (TableId table : all) {
            if (!Queries.truth(
                    target, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ?)", table.schema())) {
                Queries.execute(target, "CREATE SCHEMA " + Identifiers.quote(table.schema()));
            }
        }
        Dump dump = dump(all);
        Set<String> known = Databases.settings(target);
        boolean superuser = Queries.superuser(target);
        Map<Boolean, List<Entry>> preData = preData(target, dump, known).stream()
                .collect(Collectors.partitioningBy(entry -> entry.kind().equals("TABLE ATTACH")));
        List<Entry> later = new ArrayList<>(postData(dump, known));
        Queries.execute(target, DumpScript.script(preData.get(false), migration.publication(), superuser));
        later.addAll(preData.get(true));
        List<Ddl> waiting = new ArrayList<>();
        boolean forSwitch = false;
        for (Ddl ddl : DeferredDdl.plan(
                later, migration.publication(), tables, List.of(), dump.keys().on(target))) {
            if (ddl.stage() == Stage.PARENT && !ddl.kind().equals("INDEX ATTACH")) {
                Queries.execute(target, ddl.sql());
            } else if (AT_SWITCH.contains(ddl.stage())) {
                forSwitch = true;
            } else {
                waiting.add(ddl);
            }
        }
        try (Connection source = Sessions.open(migration, migration.source(), "schema")) {
            for (String owner : Sequences.read(migration, source, target).owners(tables)) {
                Queries.execute(target, owner);
            }
        }
        DdlStore.append(target, waiting);
        if (forSwitch) {
            // Left to refreshDeferred, which replaces all of it. Counterexample: the table's foreign key came just
            // before a refresh, and the table itself was seen only after it; appended here, the key would be made
            // twice, and the switch fail.
            Queries.update(target, "UPDATE wherry.migration SET deferred = ''");
        }
    }

    /**
     * Puts what waits for the switch in {@code wherry.ddl} anew, as it is on the source now. Part of the caller's
     * transaction.
     */
    public void refreshDeferred(Connection target) throws SQLException {
        Dump dump = dump(Set.of());
        List<Ddl> waiting = new ArrayList<>(deferred(target, dump, Databases.settings(target)));
        waiting.removeIf(ddl -> !AT_SWITCH.contains(ddl.stage()));
        DdlStore.forget(target, AT_SWITCH);
        DdlStore.append(target, waiting);
        Queries.update(target, "UPDATE wherry.migration SET deferred = ?", dump.deferred());
    }

    /** Loads the source's whole schema into an empty database, without data and without our state; for comparisons. */
    void copyInto(Connection empty) throws SQLException {
        Dump dump = dump(Set.of());
        Set<String> known = Databases.settings(empty);
        List<Entry> preData = preData(empty, dump, known);
        List<Entry> postData = postData(dump, known);
        Queries.execute(empty, DumpScript.script(preData, migration.publication(), Queries.superuser(empty)));
        for (Ddl ddl : DeferredDdl.plan(
                postData,
                migration.publication(),
                dump.loaded(),
                List.of(),
                dump.keys().on(empty))) {
            Queries.execute(empty, ddl.sql());
        }
    }

    private record Dump(
            String sourceSystem,
            String deferred,
            String preData,
            long preDataEntries,
            String postData,
            long postDataEntries,
            String database,
            Set<TableId> loaded,
            MaterializedViews views,
            PartitionedKeys keys,
            FormerIdentities identities) {
        static final Dump EMPTY = new Dump(
                "",
                "",
                "",
                0,
                "",
                0,
                "",
                Set.of(),
                MaterializedViews.NONE,
                PartitionedKeys.NONE,
                FormerIdentities.NONE);
    }

    /** @param tables only these; empty = all there is */
    private Dump dump(Set<TableId> tables) throws SQLException {
        Path archive = null;
        try (Connection source = Sessions.open(migration, migration.source(), "schema")) {
            archive = TemporaryFiles.create("wherry-schema", ".dump");
            // Before the dump, so that what changes in between is brought once more rather than not at all.
            String deferred = SchemaAdditions.fingerprint(source);
            FormerIdentities identities = FormerIdentities.read(source, migration);
            dumpTool.archive(migration.source(), archive, tables);
            return new Dump(
                    Queries.string(source, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()")
                            .orElse(""),
                    deferred,
                    dumpTool.section(archive, "pre-data"),
                    dumpTool.entries(archive, "pre-data"),
                    dumpTool.section(archive, "post-data"),
                    dumpTool.entries(archive, "post-data"),
                    dumpTool.database(archive),
                    SelectedTables.read(source, migration).stream()
                            .map(CatalogTable::id)
                            .collect(Collectors.toSet()),
                    MaterializedViews.read(source),
                    PartitionedKeys.read(source),
                    identities.and(FormerIdentities.read(source, migration)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            DumpTool.delete(archive);
        }
    }

    /** What comes after the tables: pg_dump's post-data, and what it says of the database itself. */
    private List<Ddl> deferred(Connection target, Dump dump, Set<String> known) throws SQLException {
        List<Entry> entries = new ArrayList<>(postData(dump, known));
        entries.addAll(DatabaseEntries.of(
                DumpScript.entries(dump.database(), known), target.getCatalog(), new RoleMap(migration.roleMap())));
        return DeferredDdl.plan(
                entries,
                migration.publication(),
                dump.loaded(),
                dump.views().refreshes(target),
                dump.keys().on(target));
    }

    /**
     * With the replica identities from before the migration, and without columns' parameters that the server does not know.
     */
    private List<Entry> preData(Connection server, Dump dump, Set<String> known) throws SQLException {
        List<Entry> entries = mapped(entries(dump.preData(), known, dump.preDataEntries(), "pre-data"));
        Set<String> unknown = ColumnParameters.notCarried(server, entries);
        if (!unknown.isEmpty()) {
            LOG.warn(
                    "Parameters of columns are not carried, as the target does not know them or they are the source's server's own: {}",
                    String.join(", ", unknown));
        }
        return dump.identities().ofTables(ColumnParameters.without(entries, unknown));
    }

    private List<Entry> postData(Dump dump, Set<String> known) {
        return dump.identities()
                .ofIndexes(mapped(entries(dump.postData(), known, dump.postDataEntries(), "post-data")));
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
