package io.wherry.source;

import io.wherry.contract.Migration;
import io.wherry.contract.RetryableException;
import io.wherry.contract.Sessions;
import io.wherry.contract.TableId;
import io.wherry.contract.TableShape;
import io.wherry.contract.TableShape.Column;
import io.wherry.contract.TableShape.ColumnDefinition;
import io.wherry.contract.TableShape.TypeName;
import io.wherry.source.Relation.RelationColumn;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns relation messages into table shapes. The stream names types by number only, and marks every column as identity
 * under REPLICA IDENTITY FULL, so type names and (then) the primary key come from the catalog, over a session of its own.
 * Not safe for use by several threads.
 */
final class RelationShapes implements AutoCloseable {
    /** What a type that was dropped since reads as; the target then says whether it can take the text. */
    private static final TypeName TEXT = new TypeName("pg_catalog", "text");

    private final Migration migration;
    private final Map<TableId, Long> files;
    private final Map<Long, TypeName> types = new HashMap<>();
    private Connection session;

    /** @param files number of the file that held each table's rows when they were loaded */
    RelationShapes(Migration migration, Map<TableId, Long> files) {
        this.migration = migration;
        this.files = files;
    }

    /** @throws RetryableException when the source does not answer */
    TableShape of(Relation relation) {
        try {
            Map<String, ColumnDefinition> definitions =
                    ColumnDefinitions.read(session(), relation, files.get(relation.id()));
            List<Column> columns = new ArrayList<>();
            for (RelationColumn column : relation.columns()) {
                columns.add(new Column(column.name(), type(column.typeOid()), definitions.get(column.name())));
            }
            return new TableShape(relation.id(), columns, identity(relation));
        } catch (SQLException e) {
            throw new RetryableException(
                    "read the catalog for",
                    relation.id().toString(),
                    e.getMessage(),
                    "Look whether the source is up",
                    e);
        }
    }

    private List<String> identity(Relation relation) throws SQLException {
        List<String> primaryKey = relation.replicaIdentity() == 'f' ? primaryKey(relation) : List.of();
        List<String> identity = new ArrayList<>();
        for (RelationColumn column : relation.columns()) {
            boolean part = relation.replicaIdentity() == 'f' ? primaryKey.contains(column.name()) : column.identity();
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

    private List<String> primaryKey(Relation relation) throws SQLException {
        List<String> names = new ArrayList<>();
        try (PreparedStatement statement = session()
                .prepareStatement("SELECT a.attname FROM pg_catalog.pg_index i"
                        + " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])"
                        + " WHERE i.indisprimary AND i.indimmediate AND i.indrelid = ?::oid")) {
            statement.setLong(1, Integer.toUnsignedLong(relation.oid()));
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
            session = Sessions.open(migration, migration.source(), "types");
        }
        return session;
    }

    @Override
    public void close() {
        Quietly.close(session);
    }
}
