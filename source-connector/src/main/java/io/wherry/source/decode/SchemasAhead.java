package io.wherry.source.decode;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.decode.ChangeEncoder.Schemas;
import io.wherry.source.server.TableFiles;
import io.wherry.source.server.WholeTables;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Registers the schemas of the published tables before their first change comes, for the relation message that the stream would
 * send now. Otherwise, hundreds of tables whose first change comes within the window of the cutover would be registered there,
 * one after another. If the relation message differs in the end, its schema is registered when the message comes, and the schema
 * that was registered here is not used.
 */
public final class SchemasAhead {
    private static final Logger LOG = LoggerFactory.getLogger(SchemasAhead.class);
    private static final String RELATIONS = """
            SELECT c.oid::bigint, n.nspname, c.relname, c.relreplident::text, a.attname, a.atttypid::bigint, a.atttypmod,
                   coalesce(a.attnum = ANY (:key_columns), false)
              FROM pg_catalog.pg_publication p
              JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
              JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND :sent
              LEFT JOIN pg_catalog.pg_index i ON :identity
             WHERE p.pubname = ?
             ORDER BY c.oid, a.attnum
            """;

    private SchemasAhead() {}

    /** @param closing true when the registration must stop */
    public static void register(
            CaptureGroup group,
            Routes routes,
            TableFiles files,
            WholeTables wholes,
            SchemaRegistry registry,
            BooleanSupplier closing) {
        int registered = 0;
        try (RelationShapes shapes = new RelationShapes(group, files, wholes)) {
            for (RelationMessage relation : relations(group)) {
                Route route = routes.of(relation.oid());
                if (closing.getAsBoolean()) {
                    return;
                }
                if (route != null && files.loaded(route.id()) != null) {
                    Schemas.register(shapes.of(relation.under(route.id())), route.topic(), registry);
                    registered++;
                }
            }
            LOG.info("registered the schemas of {} tables", registered);
        } catch (SQLException | RuntimeException e) {
            // The stream registers the schema when a change comes, and then reports what prevents it.
            LOG.info("could not register schemas before the first change: {}", e.getMessage());
        }
    }

    private static String relations(int major) {
        return RELATIONS
                .replace(":sent", major >= 12 ? "a.attgenerated = ''" : "true")
                .replace(":identity", ReplicaIdentity.INDEX_OF_TABLE)
                .replace(":key_columns", ReplicaIdentity.keyColumns(major));
    }

    private static List<RelationMessage> relations(CaptureGroup group) throws SQLException {
        Map<Long, RelationMessage> relations = new LinkedHashMap<>();
        try (Connection session = Sessions.open(group.migration(), group.from(), "schemas");
                PreparedStatement statement = session.prepareStatement(relations(ServerVersion.major(session)))) {
            statement.setString(1, group.publication());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    long oid = row.getLong(1);
                    if (!relations.containsKey(oid)) {
                        TableId table = new TableId(row.getString(2), row.getString(3));
                        ReplicaIdentity identity =
                                ReplicaIdentity.of(row.getString(4).charAt(0));
                        relations.put(oid, new RelationMessage((int) oid, table, identity, new ArrayList<>()));
                    }
                    relations
                            .get(oid)
                            .columns()
                            .add(new RelationMessage.RelationColumn(
                                    row.getString(5), row.getBoolean(8), row.getLong(6), row.getInt(7)));
                }
            }
        }
        return List.copyOf(relations.values());
    }
}
