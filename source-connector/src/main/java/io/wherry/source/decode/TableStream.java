package io.wherry.source.decode;

import io.wherry.contract.error.DataException;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.Route;
import io.wherry.source.decode.Shapes.Carrier;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The changes of one relation, from one description of the relation by the server to the next: where the changes go, and how they
 * are encoded. Not safe for use by several threads.
 */
final class TableStream {
    private static final int UNKNOWN = -1;

    private final TableStreams streams;
    private final RelationMessage relation;
    private final Carrier carrier;
    /** For each column of a tuple on the wire, whether it is left out; null = no column is left out. */
    private final boolean[] leftOut;

    /** Number of the routes' change up to which {@link #route} is known. */
    private int routesSeen = UNKNOWN;

    private Route route;
    /** Of the last route that changes went to. */
    private Encoding encoding;

    /**
     * How the changes are encoded for one route.
     *
     * @param namesRows whether the changes name their rows as the table does that carries the rows
     * @param keys shared by all relations of the route
     */
    record Encoding(
            Route route, ChangeEncoder encoder, boolean namesRows, KeySchema keys, CaptureCounts.Changes counts) {}

    /** The schema that the keys of a table were last written with. */
    static final class KeySchema {
        /** Number in the registry; null = this decoder has written no key yet. */
        private Integer last;
    }

    /**
     * @param relation without the columns that are left out
     * @param carrier the table that the rows go with
     */
    TableStream(TableStreams streams, RelationMessage relation, Carrier carrier, boolean[] leftOut) {
        this.streams = streams;
        this.relation = relation;
        this.carrier = carrier;
        this.leftOut = leftOut;
    }

    RelationMessage relation() {
        return relation;
    }

    Carrier carrier() {
        return carrier;
    }

    /** Whether the rows go with those of a partitioned table that is carried whole. */
    boolean isPartition() {
        return carrier.oid() != relation.oid();
    }

    /**
     * Finds where the changes go. To be called once for each event: other threads change the routes, and an event has one route.
     *
     * @return false when the changes are left out
     */
    boolean findRoute() {
        int now = streams.routesChanged();
        if (now != routesSeen) {
            route = streams.route(carrier);
            routesSeen = now;
        }
        return route != null;
    }

    /** The route that was found last. */
    Route route() {
        return route;
    }

    /** The encoder for the route that was found last. */
    ChangeEncoder encoder() {
        return encoding().encoder();
    }

    /** Whether the changes name their rows as the table does that carries the rows. */
    boolean namesRows() {
        return encoding().namesRows();
    }

    private Encoding encoding() {
        if (encoding == null || encoding.route() != route) {
            encoding = streams.encoding(this, route);
        }
        return encoding;
    }

    void read(Tuple tuple, ByteBuffer message) {
        tuple.read(message, leftOut);
        if (tuple.columns() != encoder().columns()) {
            throw new DataException(
                    "decode",
                    "a row of the stream",
                    "the row has " + tuple.columns() + " columns, and the source announced "
                            + encoder().columns(),
                    "Report this with the version of the source");
        }
    }

    /**
     * Sends a change. The changes of one key go to one partition, which keeps them in order. A change that concerns several keys is
     * a barrier. Counterexample, where key 1 belongs to partition 0 and key 2 to partition 1: {@code UPDATE t SET n = 5 WHERE key =
     * 1}, then {@code UPDATE t SET key = 2 WHERE key = 1}, which is sent to partition 1. If the worker of partition 1 is ahead, it
     * turns row 1 into row 2. Then the other worker writes row 1 with n = 5: a whole row, which is inserted. The row is there twice,
     * and wrong both times.
     *
     * <p>The first change whose key has another schema than the key before it is a barrier too. The partition follows from the bytes
     * of the key, which begin with the number of the schema. The number changes when the identity has other columns, or when the
     * registry was re-created. A decoder does not know what came before it, so its first change of each table is a barrier.
     *
     * <p>A key change within one partition would keep its place without a barrier. But only one key change in n is of this kind (n
     * partitions), which does not justify a second way.
     *
     * @param place of the change within its source transaction
     */
    void send(SourceTransactions rows, RowPlace place, char operation, byte[] key, boolean keyChanges, byte[] value) {
        send(rows, place, key, keyChanges, value, RowMark.NONE);
        encoding().counts().count(operation);
    }

    /** Sends what the row of this key is. Not counted among the changes: no row has changed. */
    void repair(SourceTransactions rows, RowPlace place, byte[] key, byte[] value) {
        send(rows, place, key, false, value, RowMark.REPAIR);
    }

    /** Sends that rows of the table came or went that no record names. */
    void breakOff(SourceTransactions rows, RowPlace place, byte[] value) {
        if (route.partitions() == 1) {
            rows.row(place, route, 0, null, value, RowMark.BREAK);
        } else {
            rows.barrier(place, route, null, value, RowMark.BREAK);
        }
    }

    private void send(
            SourceTransactions rows, RowPlace place, byte[] key, boolean keyChanges, byte[] value, RowMark mark) {
        if (route.partitions() == 1) {
            rows.row(place, route, 0, key, value, mark);
        } else {
            KeySchema keys = encoding().keys();
            Integer known = keys.last;
            keys.last = encoder().keySchema();
            if (key == null || keyChanges || known == null || known != encoder().keySchema()) {
                rows.barrier(place, route, key, value, mark);
            } else {
                rows.row(place, route, Math.floorMod(Arrays.hashCode(key), route.partitions()), key, value, mark);
            }
        }
    }
}
