package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.Sentence;
import io.wherry.source.server.Identities.Identity;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notices when the source refuses updates of a table because Wherry publishes it: the table has lost its key, or its identity holds
 * a new generated column, or its row filter uses a column that the identity no longer holds. What Wherry can correct, it corrects at
 * once; it reports the rest. Written by one thread, read by any thread.
 */
public final class IdentityWatch {
    private static final Logger LOG = LoggerFactory.getLogger(IdentityWatch.class);

    private final CaptureGroup group;
    private final TableLocks locks;
    private volatile List<String> lines = List.of();

    public IdentityWatch(CaptureGroup group, TableLocks locks) {
        this.group = group;
        this.locks = locks;
    }

    /** What the source refuses, in words. */
    public List<String> lines() {
        return lines;
    }

    public void look(Connection session) throws SQLException {
        List<String> refused = new ArrayList<>();
        for (Identity one : Identities.suspects(session, group)) {
            if (one.impossible()) {
                refused.add(Sentence.of(
                        one.id() + ": the source refuses its updates and deletes: " + one.problem(), one.remedy()));
            } else if (!correct(session, one, refused)) {
                refused.add(one.id()
                        + ": the source refuses its updates and deletes while it has no key. Wherry sets REPLICA IDENTITY"
                        + " FULL as soon as it can lock the table");
            }
        }
        for (Identity one : Identities.filteredOutside(session, group)) {
            // A table without a key is reported above.
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
            refused.add(
                    line + ". On the source, give the table a unique index with these columns as its REPLICA IDENTITY");
            return;
        }
        try {
            if (!one.stored().isEmpty()) {
                Publication.publishStored(session, group);
            }
            if (!FullIdentities.set(session, group, one, locks)) {
                refused.add(line + ". Wherry sets REPLICA IDENTITY FULL as soon as it can lock the table");
            }
        } catch (DataException e) {
            refused.add(Sentence.of(line + ", and Wherry cannot change that: " + e.getMessage(), setFull(one)));
        }
    }

    /** @return false when Wherry must try again */
    private boolean correct(Connection session, Identity one, List<String> refused) throws SQLException {
        try {
            if (one.needsStored()) {
                Publication.publishStored(session, group);
            }
            return !one.lacksKey() || FullIdentities.set(session, group, one, locks);
        } catch (DataException e) {
            refused.add(Sentence.of(
                    one.id()
                            + ": the source refuses its updates and deletes while it has no key, and Wherry cannot change"
                            + " that: " + e.getMessage(),
                    setFull(one)));
            return true;
        }
    }

    private static String setFull(Identity one) {
        return "On the source: ALTER TABLE " + one.id().quoted() + " REPLICA IDENTITY FULL";
    }
}
