package io.wherry.coordinator.witness;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.nio.ByteBuffer;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the messages of pgoutput, version 1 of its protocol (PostgreSQL documentation, "Logical Replication Message Formats"):
 * whole transactions in the order of their COMMITs. Keeps no change of a transaction in memory. For one thread.
 */
final class Decoder {
    private static final int[] NO_KEY = {};

    private final Relations relations;
    private final Changes changes;
    private final Tally tally;
    private final Unseen unseen;
    /** Tables that this transaction has already named as a whole. */
    private final Set<TableId> whole = new HashSet<>();

    private boolean open;
    private int transaction;
    private long commit;
    private Lsn lsn = Lsn.ZERO;
    private long given;

    /** @param from everything whose COMMIT starts before this LSN counts as given */
    Decoder(Relations relations, Changes changes, Tally tally, Unseen unseen, Lsn from) {
        this.relations = relations;
        this.changes = changes;
        this.tally = tally;
        this.unseen = unseen;
        given = from.value();
    }

    /** Every transaction whose COMMIT starts before this LSN has been given to the changes. */
    long given() {
        return given;
    }

    /** Nothing more will come of what committed before this LSN, says the server. Counts only between two transactions. */
    void reached(long walEnd) {
        if (!open && Long.compareUnsigned(walEnd, given) > 0) {
            given = walEnd;
        }
    }

    /** @throws IllegalStateException when the stream breaks its rules */
    void read(ByteBuffer message) throws SQLException {
        char type = (char) message.get();
        switch (type) {
            case 'B' -> begin(message);
            case 'C' -> commit(message);
            case 'R' -> relations.described(Relation.read(message));
            case 'I' -> insert(message);
            case 'U' -> update(message);
            case 'D' -> delete(message);
            case 'T' -> truncate(message);
            case 'O', 'Y' -> {}
            default -> throw new IllegalStateException("the stream has a message of the unknown type " + type);
        }
    }

    private void begin(ByteBuffer message) {
        if (open) {
            throw new IllegalStateException("a transaction begins within another one");
        }
        open = true;
        commit = message.getLong();
        message.getLong();
        transaction = message.getInt();
        // The next LSN after the start of the COMMIT. The start itself may equal the LSN of a heartbeat, which ends
        // where
        // the next record starts, and which covers no COMMIT that starts there.
        lsn = new Lsn(commit + 1);
        whole.clear();
    }

    private void commit(ByteBuffer message) {
        message.get();
        long start = message.getLong();
        long end = message.getLong();
        if (!open || start != commit) {
            throw new IllegalStateException("the COMMIT at " + new Lsn(start) + " ends another transaction");
        }
        open = false;
        unseen.add(transaction, commit);
        reached(end);
    }

    private void insert(ByteBuffer message) throws SQLException {
        Naming naming = naming(message);
        if (naming.ignored()) {
            return;
        }
        tally.inserted(naming.table());
        require(message, "N");
        name(naming, tuple(naming, message).key());
    }

    private void update(ByteBuffer message) throws SQLException {
        Naming naming = naming(message);
        if (naming.ignored()) {
            return;
        }
        tally.updated(naming.table());
        if (!naming.keyed()) {
            nameWhole(naming.table());
            return;
        }
        if (require(message, "KON") == 'N') {
            name(naming, Tuple.read(message, naming.places()).key());
            return;
        }
        Tuple old = Tuple.read(message, naming.places());
        require(message, "N");
        Tuple now = Tuple.read(message, naming.places());
        now.complete(old);
        Optional<List<String>> before = old.key();
        Optional<List<String>> after = now.key();
        name(naming, before);
        if (!after.equals(before)) {
            name(naming, after);
        }
    }

    private void delete(ByteBuffer message) throws SQLException {
        Naming naming = naming(message);
        if (naming.ignored()) {
            return;
        }
        tally.deleted(naming.table());
        require(message, "KO");
        name(naming, tuple(naming, message).key());
    }

    private void truncate(ByteBuffer message) throws SQLException {
        requireOpen();
        int count = message.getInt();
        message.get();
        for (int i = 0; i < count; i++) {
            Naming naming = relations.of(message.getInt());
            if (!naming.ignored()) {
                tally.truncated(naming.table());
                nameWhole(naming.table());
            }
        }
    }

    private Naming naming(ByteBuffer message) throws SQLException {
        requireOpen();
        return relations.of(message.getInt());
    }

    private void requireOpen() {
        if (!open) {
            throw new IllegalStateException("a change stands outside of a transaction");
        }
    }

    private static char require(ByteBuffer message, String kinds) {
        char kind = (char) message.get();
        if (kinds.indexOf(kind) < 0) {
            throw new IllegalStateException("a change has a tuple of the unknown kind " + kind);
        }
        return kind;
    }

    private static Tuple tuple(Naming naming, ByteBuffer message) {
        return Tuple.read(message, naming.keyed() ? naming.places() : NO_KEY);
    }

    private void name(Naming naming, Optional<List<String>> key) {
        if (naming.keyed() && key.isPresent()) {
            changes.changed(naming.table(), key.get(), lsn);
        } else {
            nameWhole(naming.table());
        }
    }

    private void nameWhole(TableId table) {
        if (whole.add(table)) {
            changes.changedWhole(table, lsn);
        }
    }
}
