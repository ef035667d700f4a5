package io.wherry.source.load;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogColumns;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.LoadPlan.Resumed;
import io.wherry.source.control.ChunkLayout;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlLog.Resumable;
import io.wherry.source.control.Routes.Identity;
import io.wherry.source.control.TableIdentities;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.server.KnownTables;
import io.wherry.source.server.Partition;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Plans rounds of the load: which chunks are read of each table that a snapshot holds. */
final class RoundPlanner {
    private static final Logger LOG = LoggerFactory.getLogger(RoundPlanner.class);

    private final CaptureGroup group;
    private final KnownTables known;
    private final KafkaTopics.Layout layout;

    /** @param known gets the file from which each table is loaded, and the partitions of tables that are carried whole */
    RoundPlanner(CaptureGroup group, KnownTables known, KafkaTopics.Layout layout) {
        this.group = group;
        this.known = known;
        this.layout = layout;
    }

    /** Plans a round of the missing tables that the snapshot holds. If possible, a table continues with its missing chunks. */
    RoundPlan plan(LoadSnapshot snapshot, Set<TableId> missing, ControlLog memory) throws SQLException {
        int epoch = memory.lastEpoch() + 1;
        LoadPlanner planner =
                new LoadPlanner(snapshot.session(), group.migration().load());
        List<Chunk> chunks = new ArrayList<>();
        List<LoadPlan.Table> planned = new ArrayList<>();
        List<ChunkLayout> cuts = new ArrayList<>();
        List<Partition> partitions = Partition.read(snapshot.session(), group.migration());
        Map<Long, CatalogTable> leaves = leaves(snapshot.session(), partitions);
        List<TableId> moved = new ArrayList<>();
        Map<TableId, Identity> identities = TableIdentities.read(snapshot.session(), group.migration(), missing);
        for (CatalogTable table : snapshot.tables(missing)) {
            Identity identity = identities.get(table.id());
            if (!known.routes().hold(table.id(), identity)) {
                // Between binding and snapshot, the name moved to another table, or the names of columns moved. Changes
                // after the snapshot may have been left out.
                moved.add(table.id());
                continue;
            }
            ColumnNumbers numbers = identity.columns();
            String filter = group.migration().tables().whereClause(table.id());
            long file = snapshot.file(table.oid());
            known.files().loaded(table.id(), file);
            // Changes show which rows of finished chunks are stale. So only a table that is followed continues.
            Optional<Resumable> resumable = group.migration().tables().follows(table.id())
                    ? memory.resumable(table, numbers, file, filter, planner.endTransaction())
                    : Optional.empty();
            List<Chunk> parts;
            if (resumable.isPresent()) {
                parts = chunksLeft(table, numbers, filter, resumable.get(), planner.endTransaction());
            } else if (table.partitioned()) {
                ChunkLayout cut = planner.cutWhole(table, numbers, epoch, of(table, partitions), leaves, snapshot);
                cuts.add(cut);
                known.wholes().know(table.id(), cut.parts());
                parts = LoadPlanner.chunks(table, cut);
            } else {
                ChunkLayout cut = planner.cut(table, numbers, epoch, file, filter);
                cuts.add(cut);
                parts = chunks(table, numbers, filter, cut, Set.of());
            }
            chunks.addAll(parts);
            planned.add(planned(table, parts.size(), resumable));
        }
        LoadPlan plan = new LoadPlan(
                group.flow().generation(), epoch, snapshot.lsn(), planned, layout.lanes(), snapshot.timeline());
        return new RoundPlan(plan, cuts, chunks, moved);
    }

    private static Map<Long, CatalogTable> leaves(Connection session, List<Partition> partitions) throws SQLException {
        return partitions.isEmpty()
                ? Map.of()
                : Catalog.tables(session).stream().collect(Collectors.toMap(CatalogTable::oid, Function.identity()));
    }

    private static List<Partition> of(CatalogTable whole, List<Partition> partitions) {
        return partitions.stream()
                .filter(partition -> partition.root().equals(whole.id()))
                .toList();
    }

    private LoadPlan.Table planned(CatalogTable table, int parts, Optional<Resumable> resumable) {
        return new LoadPlan.Table(
                table.id(),
                group.migration().topics().changes(table.id()),
                layout.partitions().get(table.id()),
                resumable.map(r -> r.cut().size() + 1).orElse(parts),
                table.rowsEstimated(),
                table.bytes(),
                resumable
                        .map(r -> new Resumed(
                                r.epoch(), List.copyOf(r.chunks()), r.cut().key()))
                        .orElse(null),
                table.oid(),
                CatalogColumns.shape(table.columns()));
    }

    /** The chunks that are not in Kafka, and one more chunk with the rows of the other chunks that were written since. */
    private static List<Chunk> chunksLeft(
            CatalogTable table, ColumnNumbers numbers, String filter, Resumable resumable, long endTransaction) {
        ChunkLayout cut = resumable.cut();
        LOG.info(
                "{}: continuing, {} of {} chunks are in Kafka",
                table.id(),
                resumable.chunks().size(),
                cut.size());
        List<Chunk> left = chunks(table, numbers, filter, cut, resumable.chunks());
        String changed = cut.changed(resumable.chunks(), endTransaction);
        left.add(new Chunk(table, numbers, cut.size(), changed, filter, cut.key()));
        return left;
    }

    /** @param done numbers of the chunks to leave out */
    private static List<Chunk> chunks(
            CatalogTable table, ColumnNumbers numbers, String filter, ChunkLayout cut, Set<Integer> done) {
        List<Chunk> chunks = new ArrayList<>();
        for (int i = 0; i < cut.size(); i++) {
            if (!done.contains(i)) {
                chunks.add(new Chunk(table, numbers, i, cut.condition(i), filter, List.of()));
            }
        }
        return chunks;
    }
}
