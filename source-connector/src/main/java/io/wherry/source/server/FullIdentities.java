package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.ReplicaIdentities;
import io.wherry.source.server.Identities.Identity;
import io.wherry.source.server.TableLocks.Change;
import io.wherry.source.server.TableLocks.Lock;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The replica identities that the migration sets to FULL on the source, and restores at its end. */
public final class FullIdentities {
    private static final Logger LOG = LoggerFactory.getLogger(FullIdentities.class);

    private FullIdentities() {}

    /**
     * Sets REPLICA IDENTITY FULL for a table, if the table can be locked.
     *
     * <p>One table at a time, because each call reads the note of what was changed before.
     *
     * @return whether REPLICA IDENTITY FULL is set
     */
    static synchronized boolean set(Connection source, CaptureGroup group, Identity table, TableLocks locks)
            throws SQLException {
        // A table that is re-created again and again has another oid each time. The note must not grow with each oid.
        ReplicaIdentities noted = ReplicaIdentities.read(source, group.flow()).present(source);
        boolean done = locks.attempt(source, "REPLICA IDENTITY FULL", table.id(), Lock.EXCLUSIVE, statement -> {
            noted.with(new ReplicaIdentities.Changed(
                            table.id(), table.identity().code(), table.index(), table.oid()))
                    .write(source, group.flow());
            statement.execute("ALTER TABLE ONLY " + table.id().quoted() + " REPLICA IDENTITY FULL");
        });
        if (done) {
            LOG.info(
                    "{}: set REPLICA IDENTITY FULL, because {}",
                    table.id(),
                    table.lacksKey()
                            ? "the table has no key by which the stream could name rows"
                            : "the replica identity lacks columns that the stream needs");
        }
        return done;
    }

    /**
     * Restores the replica identity of each table whose replica identity was changed. First removes the table from the publication:
     * otherwise the source would refuse updates of the table. For the end of a migration, when the stream is no longer read.
     *
     * @param closed ends the attempts
     * @return whether all replica identities are restored
     */
    public static boolean restore(Connection source, CaptureGroup group, TableLocks locks, BooleanSupplier closed)
            throws SQLException {
        for (ReplicaIdentities noted = ReplicaIdentities.read(source, group.flow());
                !noted.changed().isEmpty();
                noted = ReplicaIdentities.read(source, group.flow())) {
            boolean any = false;
            for (ReplicaIdentities.Changed one : noted.changed()) {
                any |= restore(source, group, one, locks);
            }
            if (closed.getAsBoolean()) {
                return false;
            }
            if (!any) {
                TableLocks.pause("restore replica identities");
            }
        }
        return true;
    }

    private static boolean restore(
            Connection source, CaptureGroup group, ReplicaIdentities.Changed one, TableLocks locks)
            throws SQLException {
        Optional<Identity> now = Identities.of(source, one.oid());
        TableId table = now.map(Identity::id).orElse(one.table());
        List<ReplicaIdentities.Changed> left =
                new ArrayList<>(ReplicaIdentities.read(source, group.flow()).changed());
        left.remove(one);
        List<ReplicaIdentities.Former> restoring = new ReplicaIdentities(List.of(one)).formers(source);
        // A partition of a table that is carried whole is published by its root.
        TableId published = Partition.read(source, group.migration()).stream()
                .filter(partition -> partition.oid() == one.oid())
                .map(Partition::root)
                .findFirst()
                .orElse(table);
        boolean drop = Publication.published(source, group).contains(published);
        Change change = statement -> {
            if (drop) {
                statement.execute(
                        "ALTER PUBLICATION " + Publication.name(group) + " DROP TABLE ONLY " + published.quoted());
            }
            for (ReplicaIdentities.Former restore : restoring) {
                statement.execute(restore.before());
            }
            new ReplicaIdentities(left).write(source, group.flow());
        };
        if (now.isEmpty()) {
            return locks.attemptAll(
                    source, table.toString(), statement -> new ReplicaIdentities(left).write(source, group.flow()));
        }
        return locks.attempt(source, "restoring the replica identity", table, Lock.EXCLUSIVE, change);
    }
}
