package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ServerVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The publication on the source. It names exactly the tables whose changes are wanted, so that no other table is published. With a
 * row filter, an update after which a row matches the filter is sent as an insert, and the opposite update as a delete.
 */
public final class Publication {
    private static final Logger LOG = LoggerFactory.getLogger(Publication.class);

    private Publication() {}

    public static boolean exists(Connection source, CaptureGroup group) throws SQLException {
        try (PreparedStatement statement =
                source.prepareStatement("SELECT FROM pg_catalog.pg_publication WHERE pubname = ?")) {
            statement.setString(1, group.publication());
            try (ResultSet row = statement.executeQuery()) {
                return row.next();
            }
        }
    }

    /** Creates the publication without tables, if it does not exist. */
    static void create(Connection source, CaptureGroup group) throws SQLException {
        if (!exists(source, group)) {
            String publish =
                    ServerVersion.major(source) >= 11 ? "insert, update, delete, truncate" : "insert, update, delete";
            alter(source, group, "CREATE PUBLICATION " + name(group) + " WITH (publish = '" + publish + "')");
        }
    }

    /** From now on the stream holds stored generated columns. Records do not hold them. */
    static void publishStored(Connection source, CaptureGroup group) throws SQLException {
        if (!Identities.publishesStored(source, group)) {
            LOG.info(
                    "publishing stored generated columns, because the source would otherwise refuse updates of some tables");
            alter(source, group, "ALTER PUBLICATION " + name(group) + " SET (publish_generated_columns = stored)");
        }
    }

    /** The tables of the publication. A table that was dropped and re-created under its name is not among them. */
    public static Set<TableId> published(Connection source, CaptureGroup group) throws SQLException {
        Set<TableId> published = new HashSet<>();
        try (PreparedStatement statement =
                source.prepareStatement("SELECT n.nspname, c.relname FROM pg_catalog.pg_publication p"
                        + " JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid"
                        + " JOIN pg_catalog.pg_class c ON c.oid = r.prrelid"
                        + " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = ?")) {
            statement.setString(1, group.publication());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    published.add(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        return published;
    }

    static String name(CaptureGroup group) {
        return Identifiers.quote(group.publication());
    }

    /** Runs a statement that locks no table. */
    private static void alter(Connection source, CaptureGroup group, String sql) throws SQLException {
        try (Statement statement = source.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (state.startsWith("08") || state.startsWith("57") || state.startsWith("40") || state.equals("XX000")) {
                throw e;
            }
            throw new DataException(
                    "prepare",
                    "publication " + group.publication(),
                    e.getMessage(),
                    "Check the role's rights on the source: " + sql,
                    e);
        }
    }
}
