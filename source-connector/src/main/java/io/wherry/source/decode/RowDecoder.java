package io.wherry.source.decode;

import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.decode.ChangeEncoder.Schemas;
import io.wherry.source.decode.Shapes.Carrier;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decodes the pgoutput messages that speak of rows (R, I, U, D, T) and of transactions (B, C), protocol version 1, and hands
 * them to the publisher (PostgreSQL documentation, "Logical Replication Message Formats"). One for each start of the stream:
 * the server sends each relation anew.
 */
public final class RowDecoder {
    private static final Logger LOG = LoggerFactory.getLogger(RowDecoder.class);
    /** PostgreSQL counts from 2000-01-01, in µs. */
    private static final long EPOCH_MILLIS = 946_684_800_000L;

    private final Routes routes;
    private final SchemaRegistry registry;
    private final Shapes shapes;
    private final SourceTransactions rows;
    private final CaptureCounts counts;
    private final Map<Integer, RelationMessage> relations = new HashMap<>();
    private final Map<Integer, Carrier> carriers = new HashMap<>();
    private final Map<Integer, Encoding> encodings = new HashMap<>();
    /** Which columns of their tuples are left out, where any are. */
    private final Map<Integer, boolean[]> leftOutColumns = new HashMap<>();
    /** Relations whose rows go with those of the whole. */
    private final Set<Integer> partitions = new HashSet<>();
    /** Those of them whose changes do not name rows as the whole does. */
    private final Set<Integer> unnamed = new HashSet<>();

    /** Of a route that may be another one later. */
    private record Encoding(Route route, ChangeEncoder encoder) {}

    private final Set<TableId> leftOut = new HashSet<>();
    /** Of tables with several partitions: the schema that their keys were written with last. */
    private final Map<TableId, Integer> keySchemas = new HashMap<>();

    private final AvroWriter writer = new AvroWriter();
    private final Tuple before = new Tuple();
    private final Tuple after = new Tuple();
    private final Origin origin;
    private final Clock clock;
    private boolean wanted;
    private SourceTransaction transaction;
    /** Of the message at hand. */
    private long lsn;
    /** The last transaction that was waited for. */
    private SourceTransaction visible;

    private long order;

    /**
     * @param routes where each table's changes go
     * @param clock for the time at which transactions come
     */
    public RowDecoder(
            Routes routes,
            SchemaRegistry registry,
            Shapes shapes,
            SourceTransactions rows,
            CaptureCounts counts,
            Origin origin,
            Clock clock) {
        this.origin = origin;
        this.clock = clock;
        this.counts = counts;
        this.routes = routes;
        this.registry = registry;
        this.shapes = shapes;
        this.rows = rows;
    }

    /**
     * Takes a message if it speaks of rows, or is an application's own (a logical message), which is left out.
     *
     * @param at LSN of the WAL record that the message is of
     * @return false when it is none of those: Debezium must see it. Transaction messages are taken note of, and left to
     *     Debezium too
     */
    public boolean take(ByteBuffer message, long at) {
        lsn = at;
        char kind = (char) message.get(message.position());
        switch (kind) {
            case 'B' -> begin(message.duplicate().position(message.position() + 1));
            case 'C' -> commit(message.duplicate().position(message.position() + 1));
            case 'R', 'I', 'U', 'D', 'T' -> {
                message.get();
                rowMessage(kind, message);
                return true;
            }
            case 'M' -> {
                // A logical message. Ours need their transaction only, whose end comes to Debezium; those of
                // applications may
                // be of megabytes each, and Debezium's queue holds thousands.
                message.position(message.limit());
                return true;
            }
            default -> {
                return false;
            }
        }
        return false;
    }

    /** No message waits. */
    public void quiet() {
        rows.quiet();
    }

    private void begin(ByteBuffer message) {
        long commitLsn = message.getLong();
        long commitMillis = EPOCH_MILLIS + message.getLong() / 1000;
        long number = Integer.toUnsignedLong(message.getInt());
        transaction = new SourceTransaction(commitLsn, number, commitMillis, clock.millis());
        order = 0;
        wanted = rows.begin(commitLsn, commitMillis);
    }

    private void commit(ByteBuffer message) {
        message.get();
        long commitLsn = message.getLong();
        rows.commit(commitLsn, message.getLong());
    }

    private void rowMessage(char kind, ByteBuffer message) {
        if (kind == 'R') {
            relation(RelationMessage.read(message));
        } else if (!wanted) {
            message.position(message.limit());
        } else if (kind == 'T') {
            truncate(message);
        } else {
            row(kind, message);
        }
    }

    private void relation(RelationMessage relation) {
        if (visible != transaction) {
            shapes.await(transaction.number());
            visible = transaction;
        }
        Set<String> generated = shapes.generated(relation);
        leftOutColumns.put(relation.oid(), relation.leftOut(generated));
        Carrier carrier = shapes.carrier(relation);
        relations.put(relation.oid(), relation.without(generated));
        carriers.put(relation.oid(), carrier);
        encodings.remove(relation.oid());
        if (carrier.oid() == relation.oid()) {
            partitions.remove(relation.oid());
        } else {
            partitions.add(relation.oid());
        }
        requireSameColumns(carrier.oid());
    }

    /**
     * What the catalog says is today's, and the message may be older: then changes are left out that were still those of the loaded
     * columns. The table is loaded again all the same.
     */
    private void requireSameColumns(int oid) {
        Route route = routes.of(oid);
        if (route != null) {
            routes.columns(oid).contradiction(shapes.columns(oid)).ifPresent(why -> {
                LOG.warn("{}: {}; its changes are left out until it is loaded again", route.id(), why);
                routes.unbind(oid, why);
            });
        }
    }

    private void row(char kind, ByteBuffer message) {
        int oid = message.getInt();
        Route route = route(oid);
        if (route == null) {
            message.position(message.limit());
            return;
        }
        ChangeEncoder encoder = encoder(oid, route);
        if (unnamed.contains(oid)) {
            message.position(message.limit());
            breakOff(oid, route);
            return;
        }
        char part = (char) message.get();
        boolean identityOnly = part == 'K';
        boolean hasBefore = part == 'K' || part == 'O';
        if (hasBefore) {
            read(before, oid, encoder, message);
        }
        if (kind == 'D') {
            send(route, encoder.key(before, null), false, ChangeSchemas.DELETE, encoder, before, identityOnly, null);
            return;
        }
        if (hasBefore) {
            message.get();
        }
        read(after, oid, encoder, message);
        Tuple old = hasBefore ? before : null;
        char operation = kind == 'I' ? ChangeSchemas.CREATE : ChangeSchemas.UPDATE;
        byte[] key = encoder.key(after, old);
        boolean keyChanges = hasBefore && route.partitions() > 1 && !Arrays.equals(key, encoder.key(before, null));
        send(route, key, keyChanges, operation, encoder, old, identityOnly, after);
    }

    private void read(Tuple tuple, int oid, ChangeEncoder encoder, ByteBuffer message) {
        tuple.read(message, leftOutColumns.get(oid));
        if (tuple.columns() != encoder.columns()) {
            throw new DataException(
                    "decode",
                    "a row of the stream",
                    tuple.columns() + " columns, announced were " + encoder.columns(),
                    "This server breaks the protocol; report its version");
        }
    }

    private void send(
            Route route,
            byte[] key,
            boolean keyChanges,
            char operation,
            ChangeEncoder encoder,
            Tuple old,
            boolean identityOnly,
            Tuple row) {
        order++;
        byte[] value = encoder.value(old, identityOnly, row, operation, source());
        publish(route, encoder, key, keyChanges, value);
        counts.change(route.id(), operation);
    }

    /**
     * Changes of one key go to one partition, which keeps them in order. One that concerns several keys is a barrier.
     * Counterexample, key 1 being of partition 0 and key 2 of partition 1: {@code UPDATE t SET n = 5 WHERE key = 1}, then {@code
     * UPDATE t SET key = 2 WHERE key = 1}, sent to partition 1. A worker ahead there makes row 1 row 2; then the other one
     * writes row 1 with n = 5, a whole row, which is inserted: the row is there twice, both times wrong.
     *
     * <p>The first change whose keys have another schema than those before it is a barrier too, as the partition is that of the
     * key's bytes, which begin with the schema's number: the identity is of other columns now, or the registry was made
     * anew. What came before this decoder is not known, so its first change of each table is one.
     *
     * <p>A key change within one partition would keep its place without, but one of n is not worth a second way.
     */
    private void publish(Route route, ChangeEncoder encoder, byte[] key, boolean keyChanges, byte[] value) {
        if (route.partitions() == 1) {
            rows.row(route, 0, key, value);
            return;
        }
        Integer known = keySchemas.put(route.id(), encoder.keySchema());
        if (key == null || keyChanges || known == null || known != encoder.keySchema()) {
            rows.barrier(route, key, value);
        } else {
            rows.row(route, Math.floorMod(Arrays.hashCode(key), route.partitions()), key, value);
        }
    }

    private void truncate(ByteBuffer message) {
        int count = message.getInt();
        message.get();
        // Of a table that is carried whole the server names the partitions.
        Map<Route, Set<Integer>> wholes = new LinkedHashMap<>();
        for (int i = 0; i < count; i++) {
            int oid = message.getInt();
            Route route = route(oid);
            if (route != null && partitions.contains(oid)) {
                wholes.computeIfAbsent(route, whole -> new LinkedHashSet<>()).add(oid);
            } else if (route != null) {
                truncate(oid, route);
            }
        }
        wholes.forEach((whole, oids) -> {
            int oid = oids.iterator().next();
            if (shapes.isAll(whole.id(), oids)) {
                truncate(oid, whole);
            } else {
                breakOff(oid, whole);
                LOG.error("{}: some of its partitions were truncated, and not all; it stops there", whole.id());
            }
        });
    }

    private void truncate(int oid, Route route) {
        send(route, null, false, ChangeSchemas.TRUNCATE, encoder(oid, route), null, false, null);
    }

    private void breakOff(int oid, Route route) {
        order++;
        rows.breakOff(route, encoder(oid, route).value(null, false, null, ChangeSchemas.UPDATE, source()));
    }

    private ChangeEncoder.Source source() {
        return new ChangeEncoder.Source(transaction, lsn, order);
    }

    private ChangeEncoder encoder(int oid, Route route) {
        Encoding known = encodings.get(oid);
        if (known == null || known.route() != route) {
            // Rows go under the name that the table was loaded by, which need not be its name now.
            RelationMessage relation = relations.get(oid).under(route.id());
            TableShape shape = shapes.of(relation);
            unnamed.remove(oid);
            if (partitions.contains(oid) && !shapes.namesRows(relation, shape)) {
                LOG.error("{}: a partition of it has another replica identity; it stops there", route.id());
                unnamed.add(oid);
            }
            Schemas schemas = Schemas.register(shape, route.topic(), registry);
            known = new Encoding(route, new ChangeEncoder(shape, schemas, origin, writer));
            encodings.put(oid, known);
        }
        return known.encoder();
    }

    /**
     * Where the table's changes go. Null for a table that no load is bound to: made or re-created since, or put into the
     * publication by somebody. Its rows are left out; if it is selected it will be loaded, by a later snapshot
     * ({@code NewTables}).
     */
    private Route route(int oid) {
        Carrier carrier = carriers.get(oid);
        if (carrier == null) {
            throw new DataException(
                    "decode",
                    "table number " + Integer.toUnsignedLong(oid),
                    "the stream did not describe it",
                    "Report this with the source's version");
        }
        Route route = carrier.oid() == 0 ? routes.of(carrier.id()) : routes.of(carrier.oid());
        if (route == null && leftOut.add(carrier.id())) {
            LOG.warn("{}: changes of a table that is not known (yet) are left out", carrier.id());
        }
        return route;
    }
}
