package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Sessions;
import io.wherry.rehearsal.CopyText;
import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The source's rows at one moment, as COPY writes them.
 *
 * @param until the last commit LSN that the rows can hold
 */
public record SourceSnapshot(Lsn until, Map<TableId, Rows> rows) {
    private static final String LOCKED = "55P03";

    /** Rows of a table as COPY text, and their columns, quoted. */
    record Rows(String columns, byte[] copied) {}

    /** The rows at the consistent point of a new slot, while other sessions write. The source's server names the LSN. */
    public static SourceSnapshot ofSlot(Migration migration, String slot) throws SQLException, IOException {
        try (Connection replication = Sessions.openReplication(migration, migration.source(), "test");
                Statement statement = replication.createStatement();
                ResultSet row = statement.executeQuery(
                        "CREATE_REPLICATION_SLOT " + slot + " TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT")) {
            row.next();
            Lsn point = Lsn.parse(row.getString("consistent_point"));
            String snapshot = row.getString("snapshot_name");
            try (Connection session = begin(migration);
                    Statement first = session.createStatement()) {
                first.execute("SET TRANSACTION SNAPSHOT " + Identifiers.literal(snapshot));
                return read(migration, session, point);
            }
        }
    }

    /**
     * The rows now. No session may commit changes of tables meanwhile; transactions may be open, also prepared ones, for whose end a
     * slot would wait. Empty if one of them keeps others from reading a table.
     */
    public static Optional<SourceSnapshot> now(Migration migration) throws SQLException, IOException {
        try (Connection session = begin(migration);
                Statement statement = session.createStatement()) {
            statement.execute("SET LOCAL lock_timeout = '50ms'");
            try (ResultSet row = statement.executeQuery("SELECT pg_catalog.pg_current_wal_insert_lsn()")) {
                row.next();
                return Optional.of(read(migration, session, Lsn.parse(row.getString(1))));
            }
        } catch (SQLException e) {
            if (Sessions.state(e).equals(LOCKED)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static Connection begin(Migration migration) throws SQLException {
        Connection session = Sessions.open(migration, migration.source(), "test");
        session.setAutoCommit(false);
        session.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        return session;
    }

    /** @param next a commit whose LSN is this one is not in the snapshot */
    private static SourceSnapshot read(Migration migration, Connection session, Lsn next)
            throws SQLException, IOException {
        Map<TableId, Rows> rows = new TreeMap<>();
        for (CatalogTable table : SelectedTables.read(session, migration)) {
            String columns = columns(table);
            rows.put(table.id(), new Rows(columns, CopyText.bytes(session, columns, table.rows())));
        }
        session.rollback();
        return new SourceSnapshot(new Lsn(next.value() - 1), rows);
    }

    private static String columns(CatalogTable table) {
        return table.columns().stream()
                .map(column -> Identifiers.quote(column.name()))
                .collect(Collectors.joining(", "));
    }

    /** Compares every table of a database, without any code of the product but the list of tables. */
    public void assertEqual(Migration migration, Endpoint database) throws SQLException, IOException {
        try (Connection session = Sessions.open(migration, database, "test")) {
            Map<TableId, CatalogTable> found = SelectedTables.read(session, migration).stream()
                    .collect(Collectors.toMap(CatalogTable::id, table -> table));
            assertThat(found.keySet()).isEqualTo(rows.keySet());
            for (Map.Entry<TableId, Rows> table : rows.entrySet()) {
                Rows then = table.getValue();
                List<String> expected =
                        CopyText.linesAsWrittenBy(session, table.getKey(), then.columns(), then.copied());
                assertThat(CopyText.lines(
                                session,
                                then.columns(),
                                found.get(table.getKey()).rows()))
                        .as(table.getKey().quoted())
                        .isEqualTo(expected);
            }
        }
    }
}
