package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.source.server.Identities.Identity;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees when the source has begun to refuse updates of a table because we publish it: it has lost its key, or has got a generated column
 * that its identity holds, or its row filter uses what the identity does not hold any more. What can be set right is, at once; the rest is told. Written by one thread, read by any.
 */
public final class IdentityWatch {
    private static final Logger LOG = LoggerFactory.getLogger(IdentityWatch.class);

    private final Migration migration;
    private final TableLocks locks;
    private volatile List<String> lines = List.of();

    public IdentityWatch(Migration migration, TableLocks locks) {
        this.migration = migration;
        this.locks = locks;
    }

    /** What the source refuses, for people. */
    public List<String> lines() {
        return lines;
    }

    public void look(Connection session) throws SQLException {
        List<String> refused = new ArrayList<>();
        for (Identity one : Identities.suspects(session, migration)) {
            if (one.impossible()) {
                refused.add(one.id() + ": the source refuses its updates and deletes: " + one.problem() + ". "
                        + one.remedy());
            } else if (!setRight(session, one, refused)) {
                refused.add(one.id()
                        + ": the source refuses its updates and deletes while it has no key. REPLICA IDENTITY FULL is set as"
                        + " soon as the table's lock is to be had");
            }
        }
        for (Identity one : Identities.filteredOutside(session, migration)) {
            // Without a key it is among those above.
            if (!one.lacksKey()) {
                lookAtFilter(session, one, refused);
            }
        }
        if (!refused.equals(lines)) {
            refused.forEach(line -> LOG.warn("{}", line));
        }
        lines = List.copyOf(refused);
    }

    private void lookAtFilter(Connection session, Identity one, List<String> refused) throws SQLException {
        String line =
                one.id() + ": the source refuses its updates and deletes while its row filter uses columns that its"
                        + " replica identity does not hold";
        if (!one.virtual().isEmpty()) {
            refused.add(line + ". On the source, give it a unique index with those columns as its REPLICA IDENTITY");
            return;
        }
        try {
            if (!one.stored().isEmpty()) {
                Publication.publishStored(session, migration);
            }
            if (!FullIdentities.set(session, migration, one, locks)) {
                refused.add(line + ". REPLICA IDENTITY FULL is set as soon as the table's lock is to be had");
            }
        } catch (DataException e) {
            refused.add(line + ", and " + e.getMessage() + ". On the source: ALTER TABLE "
                    + one.id().quoted() + " REPLICA IDENTITY FULL");
        }
    }

    /** @return whether nothing is left to be done by us */
    private boolean setRight(Connection session, Identity one, List<String> refused) throws SQLException {
        try {
            if (one.needsStored()) {
                Publication.publishStored(session, migration);
            }
            return !one.lacksKey() || FullIdentities.set(session, migration, one, locks);
        } catch (DataException e) {
            refused.add(
                    one.id() + ": the source refuses its updates and deletes while it has no key, and " + e.getMessage()
                            + ". On the source: ALTER TABLE " + one.id().quoted() + " REPLICA IDENTITY FULL");
            return true;
        }
    }
}
