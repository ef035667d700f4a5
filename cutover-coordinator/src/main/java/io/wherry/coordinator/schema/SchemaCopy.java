package io.wherry.coordinator.schema;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TargetState;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaLog;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.carry.ExtensionTables;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.dump.DumpScript;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.dump.DumpTool;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Brings the source's schema to the target: what tables need at once (pg_dump's pre-data section). The rest goes into {@code
 * wherry.ddl} for later, so that a restarted coordinator continues with the same dump.
 */
public final class SchemaCopy {
    private static final Set<Stage> AT_SWITCH = Set.of(Stage.SWITCH, Stage.AFTER);
    private static final String PARTITIONED = """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'p' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
            """;

    private final Flow flow;
    private final DumpTool dumpTool;

    public SchemaCopy(Flow flow, PostgresTools tools) {
        this.flow = flow;
        this.dumpTool = new DumpTool(tools, flow.migration());
    }

    /** The least major version of pg_dump for a comparison: that of the newer server. */
    public static int toolsVersion(Flow flow) throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "check");
                Connection target = Sessions.open(flow.migration(), flow.to(), "check")) {
            return Math.max(ServerVersion.major(source), ServerVersion.major(target));
        }
    }

    /** The client programs that copy the source's schema: programs of the source's version, if installed. */
    public static PostgresTools tools(Flow flow) throws SQLException {
        int source;
        try (Connection session = Sessions.open(flow.migration(), flow.from(), "check")) {
            source = ServerVersion.major(session);
        }
        return PostgresTools.locate(source);
    }

    /**
     * Creates schema {@code wherry}, the tables, and the journal's first row, in one transaction: after a crash either all of this
     * exists or nothing.
     *
     * @throws SQLException when a statement of the dump fails on the target; then nothing is changed
     */
    public void run() throws SQLException {
        SchemaDump dump = flow.migration().schema() == Migration.TargetSchemaMode.CREATE
                ? dump(Set.of())
                : SchemaDump.empty(flow);
        try (Connection target = Databases.openForSchema(flow, flow.to(), "schema")) {
            Set<String> known = Databases.settings(target);
            boolean superuser = Queries.superuser(target);
            target.setAutoCommit(false);
            TargetState.create(target);
            Queries.update(
                    target,
                    "INSERT INTO wherry.migration (name, source_system, deferred) VALUES (?, ?, ?)",
                    flow.migration().name(),
                    dump.sourceSystem(),
                    dump.deferred());
            List<Entry> preData = dump.preData(target, known);
            String script = DumpScript.script(preData, flow.publications(), superuser);
            create(target, script);
            extensionRows(target);
            List<Ddl> deferred = dump.deferred(target, known);
            DdlStore.insert(target, deferred);
            Journal.first(target, flow.generation());
            SchemaLog.append(target, copied(target, script, deferred));
            target.commit();
        }
    }

    private SchemaEvent copied(Connection target, String script, List<Ddl> deferred) throws SQLException {
        boolean create = flow.migration().schema() == Migration.TargetSchemaMode.CREATE;
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "schema")) {
            return new SchemaEvent(
                    flow.generation(),
                    create ? SchemaEvent.Kind.CREATED : SchemaEvent.Kind.EXISTING,
                    Lsn.ZERO,
                    "",
                    List.of(),
                    script,
                    false,
                    DdlStore.waiting(deferred),
                    target.getCatalog(),
                    Databases.searchPath(source).orElse(""));
        }
    }

    /** Runs the script of the pre-data section in an empty database; part of the caller's transaction. */
    public static void create(Connection target, String script) throws SQLException {
        if (!script.isEmpty()) {
            Optional<String> path = Databases.searchPath(target);
            Queries.execute(target, script);
            restore(target, path);
        }
    }

    /** An extension's script may set the database's search_path (PostGIS's topology); the source's setting comes with the switch. */
    private static void restore(Connection target, Optional<String> path) throws SQLException {
        if (!Databases.searchPath(target).equals(path)) {
            Queries.execute(
                    target,
                    "ALTER DATABASE " + Identifiers.quote(target.getCatalog())
                            + path.map(value -> " SET search_path = " + value).orElse(" RESET search_path"));
        }
    }

    /** With the schema: expressions that run during the load may need these rows, as a transformation needs its coordinate system. */
    public void extensionRows(Connection target) throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "schema")) {
            new ExtensionRows(flow).bring(source, target, ExtensionTables.When.EARLY);
        }
    }

    /**
     * Creates tables and sequences that were added to the source later, with the partitioned tables to which they belong. The rest
     * of their dump goes into {@code wherry.ddl}. Part of the caller's transaction.
     *
     * @param asOf end of the source's log when the tables were first seen
     * @throws SQLException when the target refuses a statement, for example because it lacks a type
     */
    public void add(Connection target, Set<TableId> wanted, Lsn asOf) throws SQLException {
        Set<TableId> tables = new HashSet<>(wanted);
        // The caller has compared the sides some time ago.
        tables.removeAll(SelectedTables.namesWithPartitioned(target, flow.migration()));
        if (tables.isEmpty()) {
            return;
        }
        Set<TableId> parents;
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "schema")) {
            parents = new HashSet<>(
                    Queries.list(source, row -> new TableId(row.getString(1), row.getString(2)), PARTITIONED));
        }
        parents.removeAll(
                Set.copyOf(Queries.list(target, row -> new TableId(row.getString(1), row.getString(2)), PARTITIONED)));
        Set<TableId> all = new HashSet<>(parents);
        all.addAll(tables);
        List<String> scripts = new ArrayList<>();
        for (TableId table : all) {
            if (!Queries.truth(
                    target, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ?)", table.schema())) {
                run(target, "CREATE SCHEMA " + Identifiers.quote(table.schema()) + ";\n", scripts);
            }
        }
        SchemaDump dump = dump(all);
        Set<String> known = Databases.settings(target);
        boolean superuser = Queries.superuser(target);
        Map<Boolean, List<Entry>> preData = dump.preData(target, known).stream()
                .collect(Collectors.partitioningBy(entry -> entry.kind().equals("TABLE ATTACH")));
        List<Entry> later = new ArrayList<>(dump.postData(known));
        run(target, DumpScript.script(preData.get(false), flow.publications(), superuser), scripts);
        later.addAll(preData.get(true));
        List<Ddl> waiting = new ArrayList<>();
        boolean forSwitch = false;
        for (Ddl ddl : DeferredDdl.plan(
                later, flow.publications(), tables, List.of(), dump.keys().on(target))) {
            if (ddl.stage() == Stage.PARENT && !ddl.kind().equals("INDEX ATTACH")) {
                run(target, ddl.sql() + "\n", scripts);
            } else if (AT_SWITCH.contains(ddl.stage())) {
                forSwitch = true;
            } else {
                waiting.add(ddl);
            }
        }
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "schema")) {
            for (String owner : Sequences.read(flow, source, target).owners(tables)) {
                run(target, owner + ";\n", scripts);
            }
        }
        DdlStore.append(target, waiting);
        if (forSwitch) {
            // Left to refreshDeferred, which replaces all such statements. Counterexample: the table's foreign key
            // was added just before a refresh, and Wherry saw the table only after the refresh. Appended here, the
            // key would be created twice, and the switch would fail.
            Queries.update(target, "UPDATE wherry.migration SET deferred = ''");
        }
        SchemaLog.append(
                target,
                new SchemaEvent(
                        flow.generation(),
                        SchemaEvent.Kind.ADDED,
                        asOf,
                        "",
                        List.copyOf(all),
                        String.join("", scripts),
                        false,
                        DdlStore.waiting(waiting),
                        target.getCatalog(),
                        ""));
    }

    private static void run(Connection target, String sql, List<String> scripts) throws SQLException {
        Queries.execute(target, sql);
        scripts.add(sql);
    }

    /**
     * Replaces the statements for the switch in {@code wherry.ddl} by those of the present source. Part of the caller's transaction.
     *
     * @param asOf end of the source's log when the need was first seen
     */
    public void refreshDeferred(Connection target, Lsn asOf) throws SQLException {
        SchemaDump dump = dump(Set.of());
        List<Ddl> waiting = new ArrayList<>(dump.deferred(target, Databases.settings(target)));
        waiting.removeIf(ddl -> !AT_SWITCH.contains(ddl.stage()));
        DdlStore.forget(target, AT_SWITCH);
        DdlStore.append(target, waiting);
        Queries.update(target, "UPDATE wherry.migration SET deferred = ?", dump.deferred());
        SchemaLog.append(
                target, SchemaEvent.deferred(flow.generation(), asOf, DdlStore.waiting(waiting), target.getCatalog()));
    }

    /** Loads the source's whole schema into an empty database, without data and without Wherry's state; for comparisons. */
    void copyInto(Connection empty) throws SQLException {
        SchemaDump dump = dump(Set.of());
        Set<String> known = Databases.settings(empty);
        List<Entry> preData = dump.preData(empty, known);
        List<Entry> postData = dump.postData(known);
        Queries.execute(empty, DumpScript.script(preData, flow.publications(), Queries.superuser(empty)));
        for (Ddl ddl : DeferredDdl.plan(
                postData,
                flow.publications(),
                dump.loaded(),
                List.of(),
                dump.keys().on(empty))) {
            Queries.execute(empty, ddl.sql());
        }
    }

    /** @param tables only these; empty = all tables */
    private SchemaDump dump(Set<TableId> tables) throws SQLException {
        return SchemaDump.take(flow, dumpTool, tables);
    }
}
