package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.name.TableId;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes a server read the publication again, if the server has a defect by which it forgets which tables are published. */
public final class PublicationRefresh {
    private static final Logger LOG = LoggerFactory.getLogger(PublicationRefresh.class);
    /** The first release of each major version without the defect. */
    private static final List<Long> FIXED = List.of(130_021L, 140_018L, 150_013L, 160_009L, 170_005L);

    private PublicationRefresh() {}

    /**
     * Waits until the running transactions have ended, and then makes the server read again which tables are published. Does nothing
     * on a server without the defect.
     *
     * <p>Counterexample: T1 writes to t, t is added to the publication, T1 commits. When the server decodes T1, it looks up t as T1
     * saw it: not published. The server remembers this for later transactions. T2 starts after the load of t, writes to t, and is
     * not sent (release notes of {@link #FIXED}, "data loss in logical replication"). With this wait before the snapshot of the
     * load, there is no such transaction, and every change after the snapshot is sent.
     *
     * @param source in auto-commit mode
     * @param loading tables that will be loaded next
     * @param closed ends the wait
     */
    public static void settle(
            Connection source, CaptureGroup group, Set<TableId> loading, TableLocks locks, BooleanSupplier closed)
            throws SQLException {
        Set<TableId> published = Publication.published(source, group);
        published.retainAll(loading);
        if (published.isEmpty() || isFixed(number(source, "SELECT current_setting('server_version_num')"))) {
            return;
        }
        LOG.info("waiting for running transactions");
        Horizon.await(source, Horizon.next(source), locks, closed);
        // When a table joins or leaves a publication, the server reads all tables again. Every snapshot sees this table
        // as published.
        while (!closed.getAsBoolean()) {
            for (TableId any : published) {
                if (joinAgain(source, group, any, locks)) {
                    return;
                }
            }
            TableLocks.pause("publish a table again");
        }
    }

    private static boolean joinAgain(Connection source, CaptureGroup group, TableId table, TableLocks locks)
            throws SQLException {
        String alter = "ALTER PUBLICATION " + Publication.name(group);
        return locks.attemptAll(source, table.toString(), statement -> {
            statement.execute(alter + " DROP TABLE ONLY " + table.quoted());
            statement.execute(alter + " ADD TABLE ONLY " + table.quoted()
                    + group.migration().tables().whereClause(table));
        });
    }

    private static boolean isFixed(long version) {
        return FIXED.stream().anyMatch(minor -> version / 10_000 == minor / 10_000 && version >= minor)
                || version / 10_000 > 17;
    }

    private static long number(Connection source, String sql) throws SQLException {
        try (Statement statement = source.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }
}
