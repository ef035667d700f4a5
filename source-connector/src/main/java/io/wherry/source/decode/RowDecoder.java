package io.wherry.source.decode;

import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.Repair;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decodes the pgoutput messages of rows (R, I, U, D, T) and of transactions (B, C), protocol version 1, and hands them to the
 * publisher (PostgreSQL documentation, "Logical Replication Message Formats"). Each start of the stream has its own decoder,
 * because the server describes each relation again.
 */
public final class RowDecoder {
    private static final Logger LOG = LoggerFactory.getLogger(RowDecoder.class);
    /** PostgreSQL counts from 2000-01-01, in µs. */
    private static final long EPOCH_MILLIS = 946_684_800_000L;

    private final Shapes shapes;
    private final SourceTransactions rows;
    private final TableStreams streams;
    private final RepairMessages repairs;
    private final Tuple before = new Tuple();
    private final Tuple after = new Tuple();
    private final Clock clock;
    private SourceTransaction transaction;
    /** Of the current message. */
    private long lsn;
    /** The last transaction for which the catalog is known to be up to date. */
    private SourceTransaction visible;

    /** Which rows of the transaction are wanted. */
    private SourceTransactions.Start start = SourceTransactions.Start.NOT_WANTED;
    /** Number of the last row within the transaction, counting those that are left out. */
    private long order;
    /** LSN of the last row message of the transaction, and how many had this LSN. */
    private long messageLsn;

    private int messages;

    /**
     * A table that a TRUNCATE message names.
     *
     * @param partitions that the message names; empty unless the table is carried whole
     */
    private record Truncation(TableStream table, RowPlace place, Set<Integer> partitions) {}

    /**
     * @param routes where each table's changes go
     * @param repairs finds those among the logical messages
     * @param clock for the time at which a transaction arrives
     */
    public RowDecoder(
            Routes routes,
            SchemaRegistry registry,
            Shapes shapes,
            SourceTransactions rows,
            CaptureCounts counts,
            Origin origin,
            RepairMessages repairs,
            Clock clock) {
        this.clock = clock;
        this.repairs = repairs;
        this.shapes = shapes;
        this.rows = rows;
        streams = new TableStreams(routes, registry, shapes, counts, origin);
    }

    /**
     * Takes a message about rows, and a logical message, which is left out unless it is a repair.
     *
     * @param at LSN of the WAL record of the message
     * @return false for any other message, which Debezium must see. Messages of transactions are noted here, and Debezium sees
     *     them too
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
                // A logical message. A heartbeat needs only its transaction, whose end comes to Debezium. The messages
                // of
                // applications may have megabytes each, and Debezium's queue holds thousands.
                message.get();
                repair(message);
                message.position(message.limit());
                return true;
            }
            default -> {
                return false;
            }
        }
        return false;
    }

    /** No message is waiting. */
    public void quiet() {
        rows.quiet();
    }

    private void begin(ByteBuffer message) {
        long commitLsn = message.getLong();
        long commitMillis = EPOCH_MILLIS + message.getLong() / 1000;
        long number = Integer.toUnsignedLong(message.getInt());
        transaction = new SourceTransaction(commitLsn, number, commitMillis, clock.millis());
        order = 0;
        messageLsn = 0;
        messages = 0;
        start = rows.begin(commitLsn, commitMillis);
    }

    private void commit(ByteBuffer message) {
        message.get();
        long commitLsn = message.getLong();
        rows.commit(commitLsn, message.getLong());
    }

    private void rowMessage(char kind, ByteBuffer message) {
        if (kind == 'R') {
            relation(RelationMessage.read(message));
        } else if (!isWanted()) {
            message.position(message.limit());
        } else if (kind == 'T') {
            truncate(message);
        } else if (!row(kind, message)) {
            message.position(message.limit());
        }
    }

    /** Counts a row message, and says whether its rows are wanted. */
    private boolean isWanted() {
        if (!start.wanted()) {
            return false;
        }
        messages = lsn == messageLsn ? messages + 1 : 1;
        messageLsn = lsn;
        if (start.after().isEmpty()) {
            return true;
        }
        RowPlace taken = start.after().get();
        // The numbers continue, whatever was left out the first time.
        order = Math.max(order, taken.order());
        if (RowPlace.isAfter(taken, lsn, messages)) {
            // From here on the publisher sees every row, and reports one that comes behind this place.
            start = SourceTransactions.Start.WHOLE;
        }
        return start.after().isEmpty();
    }

    /** The place of the next row of the message. */
    private RowPlace next() {
        order++;
        return new RowPlace(lsn, messages, order);
    }

    private void relation(RelationMessage relation) {
        awaitVisible();
        streams.describe(relation);
    }

    private void awaitVisible() {
        if (visible != transaction) {
            shapes.await(transaction.number());
            visible = transaction;
        }
    }

    /** Takes a logical message after its letter, if it is a repair: rows as they are on the source at this place. */
    private void repair(ByteBuffer message) {
        if (!start.wanted()) {
            return;
        }
        Optional<ByteBuffer> found = repairs.read(message, transaction.number());
        if (found.isEmpty() || !isWanted()) {
            return;
        }
        ByteBuffer in = found.get();
        awaitVisible();
        TableStream table = streams.aside(RelationMessage.read(in));
        if (!table.findRoute() || table.encoder().keySchema() < 0) {
            return;
        }
        for (int rowsLeft = in.getInt(); rowsLeft > 0; rowsLeft--) {
            RowPlace place = next();
            boolean exists = in.get() == Repair.ROW;
            table.read(after, in);
            byte[] value = exists
                    ? table.encoder().value(null, false, after, ChangeSchemas.UPDATE, source(place))
                    : table.encoder().value(after, true, null, ChangeSchemas.DELETE, source(place));
            table.repair(rows, place, table.encoder().key(after, null), value);
        }
    }

    /** @return false when the row is left out, or when it does not name the row that it changes */
    private boolean row(char kind, ByteBuffer message) {
        RowPlace place = next();
        TableStream table = streams.of(message.getInt());
        if (!table.findRoute()) {
            return false;
        }
        if (!table.namesRows()) {
            breakOff(table, place);
            return false;
        }
        ChangeEncoder encoder = table.encoder();
        char part = (char) message.get();
        boolean identityOnly = part == 'K';
        boolean hasBefore = part == 'K' || part == 'O';
        if (hasBefore) {
            table.read(before, message);
        }
        if (kind == 'D') {
            byte[] value = encoder.value(before, identityOnly, null, ChangeSchemas.DELETE, source(place));
            table.send(rows, place, ChangeSchemas.DELETE, encoder.key(before, null), false, value);
            return true;
        }
        if (hasBefore) {
            message.get();
        }
        table.read(after, message);
        Tuple old = hasBefore ? before : null;
        char operation = kind == 'I' ? ChangeSchemas.CREATE : ChangeSchemas.UPDATE;
        byte[] key = encoder.key(after, old);
        boolean keyChanges =
                hasBefore && table.route().partitions() > 1 && !Arrays.equals(key, encoder.key(before, null));
        byte[] value = encoder.value(old, identityOnly, after, operation, source(place));
        table.send(rows, place, operation, key, keyChanges, value);
        return true;
    }

    private void truncate(ByteBuffer message) {
        int count = message.getInt();
        message.get();
        List<Truncation> truncations = new ArrayList<>();
        Map<Route, Truncation> wholes = new HashMap<>();
        for (int i = 0; i < count; i++) {
            RowPlace place = next();
            int oid = message.getInt();
            TableStream table = streams.of(oid);
            if (table.findRoute()) {
                // For a table that is carried whole, the server names the partitions.
                Truncation truncation = table.isPartition() ? wholes.get(table.route()) : null;
                if (truncation == null) {
                    truncation = new Truncation(table, place, new HashSet<>());
                    truncations.add(truncation);
                }
                if (table.isPartition()) {
                    truncation.partitions().add(oid);
                    wholes.putIfAbsent(table.route(), truncation);
                }
            }
        }
        // In ascending order, as all records.
        truncations.forEach(this::truncate);
    }

    private void truncate(Truncation truncation) {
        TableStream table = truncation.table();
        Set<Integer> partitions = truncation.partitions();
        if (partitions.isEmpty() || shapes.isAll(table.route().id(), partitions)) {
            byte[] value = table.encoder().value(null, false, null, ChangeSchemas.TRUNCATE, source(truncation.place()));
            table.send(rows, truncation.place(), ChangeSchemas.TRUNCATE, null, false, value);
        } else {
            breakOff(table, truncation.place());
            LOG.error(
                    "{}: some partitions were truncated, but not all; the table stops here",
                    table.route().id());
        }
    }

    private void breakOff(TableStream table, RowPlace place) {
        byte[] value = table.encoder().value(null, false, null, ChangeSchemas.UPDATE, source(place));
        table.breakOff(rows, place, value);
    }

    private ChangeEncoder.Source source(RowPlace place) {
        return new ChangeEncoder.Source(transaction, lsn, place.order());
    }
}
