package io.wherry.source.decode;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.PartitionRoots;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.contract.service.Resources;
import io.wherry.source.control.ChunkLayout.Part;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.decode.RelationMessage.RelationColumn;
import io.wherry.source.server.CommitVisibility;
import io.wherry.source.server.Partition;
import io.wherry.source.server.TableFiles;
import io.wherry.source.server.WholeTables;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Turns relation messages into table shapes. The stream names types by number only, and under REPLICA IDENTITY FULL marks every
 * column as identity. So the names of the types and, under FULL, the primary key come from the catalog, over a separate session.
 * Not safe for use by several threads.
 *
 * <p>The catalog shows the partitions as they are now, and the message may be older. If a partition has moved to another table
 * since, then the tables that it left and joined are stopped ({@link WholeTables}) and will be re-loaded.
 */
public final class RelationShapes implements Shapes, AutoCloseable {
    private static final String ROOT = """
            SELECT n.nspname, r.relname, c.relispartition, r.oid FROM pg_class c
              JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid) JOIN pg_namespace n ON n.oid = r.relnamespace
             WHERE c.oid = ?::oid
            """;
    private static final String PRIMARY_KEY = PartitionRoots.WITH + """
            SELECT unnest(:primary_key) FROM pg_class c
             WHERE c.oid = coalesce((SELECT parent FROM root WHERE partition = ?::oid AND ?), ?::oid)
            """;

    private static final int SENT_SINCE = 18;
    private static final String GENERATED = "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ?::oid"
            + " AND attnum > 0 AND NOT attisdropped AND attgenerated <> ''";

    /** Stands for a type that has been dropped since; the target decides whether it accepts the text. */
    private static final TypeName TEXT = new TypeName("pg_catalog", "text");

    private final CaptureGroup group;
    private final TableFiles files;
    private final WholeTables wholes;
    private final Map<Long, TypeName> types = new HashMap<>();
    private Connection session;

    public RelationShapes(CaptureGroup group, TableFiles files, WholeTables wholes) {
        this.wholes = wholes;
        this.group = group;
        this.files = files;
    }

    /** @throws RetryableException when the source does not answer, or the transaction is not visible in time */
    @Override
    public void await(long transaction) {
        try {
            CommitVisibility.await(session(), transaction);
        } catch (SQLException e) {
            throw new RetryableException(
                    "read the catalog after",
                    "transaction " + transaction,
                    e.getMessage(),
                    "Check that the source is reachable",
                    e);
        }
    }

    /**
     * Read from the catalog as it is now, which may be newer than the message. A column that has lost its expression since then
     * comes with the values that it had. The sink-applier stops the table at such a row, until the target's column is a plain
     * column too.
     */
    @Override
    public Set<String> generated(RelationMessage relation) {
        try {
            if (ServerVersion.major(session()) < SENT_SINCE) {
                return Set.of();
            }
            Set<String> names = new HashSet<>();
            try (PreparedStatement statement = session().prepareStatement(GENERATED)) {
                statement.setLong(1, Integer.toUnsignedLong(relation.oid()));
                try (ResultSet row = statement.executeQuery()) {
                    while (row.next()) {
                        names.add(row.getString(1));
                    }
                }
            }
            return names;
        } catch (SQLException e) {
            throw unreadable(relation.id(), e);
        }
    }

    /** @throws RetryableException when the source does not answer */
    @Override
    public TableShape of(RelationMessage relation) {
        try {
            Map<String, ColumnDefinition> definitions = definitions(relation);
            List<Column> columns = new ArrayList<>();
            for (RelationColumn column : relation.columns()) {
                columns.add(new Column(column.name(), type(column.typeOid()), definitions.get(column.name())));
            }
            return new TableShape(relation.id(), columns, identity(relation));
        } catch (SQLException e) {
            throw unreadable(relation.id(), e);
        }
    }

    @Override
    public Carrier carrier(RelationMessage relation) {
        Carrier itself = new Carrier(relation.oid(), relation.id());
        if (group.migration().tables().whole().isEmpty()) {
            return itself;
        }
        long oid = Integer.toUnsignedLong(relation.oid());
        try (PreparedStatement statement = session().prepareStatement(ROOT)) {
            statement.setLong(1, oid);
            try (ResultSet row = statement.executeQuery()) {
                if (row.next()) {
                    TableId root = new TableId(row.getString(1), row.getString(2));
                    // A detached partition is a table of its own, also for messages from before it was detached.
                    if (!row.getBoolean(3) || !group.migration().tables().isWhole(root)) {
                        return itself;
                    }
                    wholes.meet(oid, root);
                    return new Carrier((int) row.getLong(4), root);
                }
            }
        } catch (SQLException e) {
            throw unreadable(relation.id(), e);
        }
        // The table has been dropped since.
        return wholes.carrier(oid).map(whole -> new Carrier(0, whole)).orElse(itself);
    }

    @Override
    public ColumnNumbers columns(int oid) {
        long number = Integer.toUnsignedLong(oid);
        try {
            return ColumnNumbers.read(session(), List.of(number)).getOrDefault(number, ColumnNumbers.NONE);
        } catch (SQLException e) {
            throw unreadable("table number " + number, e);
        }
    }

    @Override
    public boolean namesRows(RelationMessage partition, TableShape shape) {
        try {
            return partition.replicaIdentity() == ReplicaIdentity.FULL
                    || Set.copyOf(shape.identity()).equals(Set.copyOf(primaryKey(partition)));
        } catch (SQLException e) {
            throw unreadable(partition.id(), e);
        }
    }

    @Override
    public boolean isAll(TableId whole, Set<Integer> truncated) {
        try {
            return Partition.read(session(), group.migration()).stream()
                    .filter(partition -> partition.root().equals(whole) && partition.leaf())
                    .allMatch(partition -> truncated.contains((int) partition.oid()));
        } catch (SQLException e) {
            throw unreadable(whole, e);
        }
    }

    private static RetryableException unreadable(Object table, SQLException e) {
        return new RetryableException(
                "read the catalog for", table.toString(), e.getMessage(), "Check that the source is reachable", e);
    }

    private Map<String, ColumnDefinition> definitions(RelationMessage relation) throws SQLException {
        long oid = Integer.toUnsignedLong(relation.oid());
        Optional<Part> loaded = wholes.loaded(relation.id(), oid);
        return ColumnDefinitions.read(
                session(),
                relation,
                loaded.map(Part::oid).orElse(oid),
                loaded.map(Part::file).orElse(files.loaded(relation.id())),
                files);
    }

    private List<String> identity(RelationMessage relation) throws SQLException {
        List<String> primaryKey = relation.replicaIdentity() == ReplicaIdentity.FULL ? primaryKey(relation) : List.of();
        List<String> identity = new ArrayList<>();
        for (RelationColumn column : relation.columns()) {
            boolean part = relation.replicaIdentity() == ReplicaIdentity.FULL
                    ? primaryKey.contains(column.name())
                    : column.identity();
            if (part) {
                identity.add(column.name());
            }
        }
        return identity;
    }

    private TypeName type(long oid) throws SQLException {
        if (!types.containsKey(oid)) {
            readTypes();
        }
        return types.getOrDefault(oid, TEXT);
    }

    private void readTypes() throws SQLException {
        try (PreparedStatement statement = session()
                        .prepareStatement(
                                "SELECT t.oid, n.nspname, t.typname"
                                        + " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace");
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                types.put(row.getLong(1), new TypeName(row.getString(2), row.getString(3)));
            }
        }
    }

    /** The primary key of the table, or of the whole table for its partition: a partition may have a key that the whole lacks. */
    private List<String> primaryKey(RelationMessage relation) throws SQLException {
        List<String> names = new ArrayList<>();
        try (PreparedStatement statement = session()
                .prepareStatement(PRIMARY_KEY.replace(
                        ":primary_key", ReplicaIdentity.primaryKey(ServerVersion.major(session()))))) {
            long oid = Integer.toUnsignedLong(relation.oid());
            statement.setLong(1, oid);
            statement.setBoolean(2, group.migration().tables().isWhole(relation.id()));
            statement.setLong(3, oid);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    names.add(row.getString(1));
                }
            }
        }
        return names;
    }

    private Connection session() throws SQLException {
        if (session == null || session.isClosed()) {
            session = Sessions.open(group.migration(), group.from(), "types");
        }
        return session;
    }

    @Override
    public void close() {
        Resources.closeQuietly(session);
    }
}
