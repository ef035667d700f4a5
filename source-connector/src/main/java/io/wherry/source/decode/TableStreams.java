package io.wherry.source.decode;

import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.decode.ChangeEncoder.Schemas;
import io.wherry.source.decode.Shapes.Carrier;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The relations that the server has described since the start of the stream, and what they share. */
final class TableStreams {
    private static final Logger LOG = LoggerFactory.getLogger(TableStreams.class);

    private final Routes routes;
    private final SchemaRegistry registry;
    private final Shapes shapes;
    private final CaptureCounts counts;
    private final Origin origin;
    private final AvroWriter writer = new AvroWriter();
    private final Map<Integer, TableStream> described = new HashMap<>();
    /** By the name that the rows go under: the partitions of a table that is carried whole share its keys. */
    private final Map<TableId, TableStream.KeySchema> keys = new HashMap<>();
    /** Tables whose changes are left out and that the log has named. */
    private final Set<TableId> leftOut = new HashSet<>();

    TableStreams(Routes routes, SchemaRegistry registry, Shapes shapes, CaptureCounts counts, Origin origin) {
        this.routes = routes;
        this.registry = registry;
        this.shapes = shapes;
        this.counts = counts;
        this.origin = origin;
    }

    /** Takes a description of a relation, which replaces the description before it. */
    void describe(RelationMessage relation) {
        described.put(relation.oid(), aside(relation));
    }

    /**
     * As {@link #describe}, for a description that is not the server's. The server describes a relation again only when it has
     * changed, so the rows that the server sends are read by the server's own description.
     */
    TableStream aside(RelationMessage relation) {
        Set<String> generated = shapes.generated(relation);
        Carrier carrier = shapes.carrier(relation);
        TableStream table = new TableStream(this, relation.without(generated), carrier, relation.leftOut(generated));
        requireSameColumns(carrier.oid());
        return table;
    }

    /**
     * The catalog shows the columns as they are now, and the message may be older. Then changes are left out that still belong to
     * the loaded columns. The table is re-loaded in any case.
     */
    private void requireSameColumns(int oid) {
        Route route = routes.of(oid);
        if (route != null) {
            routes.columns(oid).contradiction(shapes.columns(oid)).ifPresent(why -> {
                LOG.warn("{}: {}; its changes are left out until it is re-loaded", route.id(), why);
                routes.unbind(oid, why);
            });
        }
    }

    /** @throws DataException when the server has not described the relation */
    TableStream of(int oid) {
        TableStream table = described.get(oid);
        if (table == null) {
            throw new DataException(
                    "decode",
                    "table number " + Integer.toUnsignedLong(oid),
                    "the source sent a row before it described the table",
                    "Report this with the version of the source");
        }
        return table;
    }

    /** How often the routes have changed: a route that was found is valid until they change again. */
    int routesChanged() {
        return routes.changed();
    }

    /**
     * Where the table's changes go. Null for a table that no load is bound to: it was created or re-created since, or a user added
     * it to the publication. Its rows are left out. If the table is selected, it will be loaded from a later snapshot
     * ({@code NewTables}).
     */
    Route route(Carrier carrier) {
        Route route = carrier.oid() == 0 ? routes.of(carrier.id()) : routes.of(carrier.oid());
        if (route == null && leftOut.add(carrier.id())) {
            LOG.warn("{}: changes are left out, because no load has started for the table", carrier.id());
        }
        return route;
    }

    TableStream.Encoding encoding(TableStream table, Route route) {
        // Rows go under the name by which the table was loaded. The table may have another name now.
        RelationMessage relation = table.relation().under(route.id());
        TableShape shape = shapes.of(relation);
        boolean namesRows = !table.isPartition() || shapes.namesRows(relation, shape);
        if (!namesRows) {
            LOG.error("{}: a partition has another replica identity than the table; the table stops here", route.id());
        }
        Schemas schemas = Schemas.register(shape, route.topic(), registry);
        return new TableStream.Encoding(
                route,
                new ChangeEncoder(shape, schemas, origin, writer),
                namesRows,
                keys.computeIfAbsent(route.id(), id -> new TableStream.KeySchema()),
                counts.changes(route.id()));
    }
}
