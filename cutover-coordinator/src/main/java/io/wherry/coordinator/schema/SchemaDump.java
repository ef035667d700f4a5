package io.wherry.coordinator.schema;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.carry.MaterializedViews;
import io.wherry.coordinator.dump.ColumnParameters;
import io.wherry.coordinator.dump.DatabaseEntries;
import io.wherry.coordinator.dump.DeferredDdl;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DumpScript;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.dump.DumpTool;
import io.wherry.coordinator.dump.FormerIdentities;
import io.wherry.coordinator.dump.PartitionedKeys;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import io.wherry.coordinator.thread.TemporaryFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A dump of the source's schema, divided into the statements for a target.
 *
 * @param sourceSystem the system identifier of the source's server
 * @param deferred value of {@link DeferredFingerprint} just before the dump
 * @param preDataEntries number of entries that pg_restore counts in the section, to detect a lost statement
 * @param loaded the tables whose rows the migration carries
 */
record SchemaDump(
        Flow flow,
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
    private static final Logger LOG = LoggerFactory.getLogger(SchemaDump.class);

    /** A dump without statements, for a target whose schema Wherry does not create. */
    static SchemaDump empty(Flow flow) {
        return new SchemaDump(
                flow,
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

    /** @param tables only these; empty = all tables */
    static SchemaDump take(Flow flow, DumpTool dumpTool, Set<TableId> tables) throws SQLException {
        Path archive = null;
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "schema")) {
            archive = TemporaryFiles.create("wherry-schema", ".dump");
            // Before the dump, so that a change in between is brought twice rather than not at all.
            String deferred = DeferredFingerprint.read(source);
            FormerIdentities identities = FormerIdentities.read(source, flow);
            dumpTool.archive(flow.from(), archive, tables);
            return new SchemaDump(
                    flow,
                    Queries.string(source, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()")
                            .orElse(""),
                    deferred,
                    dumpTool.section(archive, "pre-data"),
                    dumpTool.entries(archive, "pre-data"),
                    dumpTool.section(archive, "post-data"),
                    dumpTool.entries(archive, "post-data"),
                    dumpTool.database(archive),
                    SelectedTables.read(source, flow.migration()).stream()
                            .map(CatalogTable::id)
                            .collect(Collectors.toSet()),
                    MaterializedViews.read(source),
                    PartitionedKeys.read(source),
                    identities.and(FormerIdentities.read(source, flow)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            DumpTool.delete(archive);
        }
    }

    /** The statements after the tables: pg_dump's post-data, and its entries for the database itself. */
    List<Ddl> deferred(Connection target, Set<String> known) throws SQLException {
        List<Entry> entries = new ArrayList<>(postData(known));
        entries.addAll(DatabaseEntries.of(
                DumpScript.entries(database, known),
                target.getCatalog(),
                new RoleMap(flow.migration().roleMap())));
        return DeferredDdl.plan(entries, flow.publications(), loaded, views.refreshes(target), keys.on(target));
    }

    /**
     * The entries with the replica identities from before the migration, and without column parameters that the server does not know.
     */
    List<Entry> preData(Connection server, Set<String> known) throws SQLException {
        List<Entry> entries = mapped(entries(preData, known, preDataEntries, "pre-data"));
        Set<String> unknown = ColumnParameters.notCarried(server, entries);
        if (!unknown.isEmpty()) {
            LOG.warn(
                    "These parameters of columns are not carried, because the target does not know them or only the source's server uses them: {}",
                    String.join(", ", unknown));
        }
        return identities.ofTables(ColumnParameters.without(entries, unknown));
    }

    List<Entry> postData(Set<String> known) {
        return identities.ofIndexes(mapped(entries(postData, known, postDataEntries, "post-data")));
    }

    private List<Entry> mapped(List<Entry> entries) {
        RoleMap roles = new RoleMap(flow.migration().roleMap());
        return entries.stream().map(entry -> entry.with(roles::statement)).toList();
    }

    /** @throws DataException when Wherry and pg_restore count different numbers of entries: a statement would be lost */
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
