package io.wherry.source.server;

import io.wherry.contract.config.Migration;
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

/** Makes a server that forgets which tables are published read the publication again. */
public final class PublicationRefresh {
    private static final Logger LOG = LoggerFactory.getLogger(PublicationRefresh.class);
    /** The first release of each major version that does not forget which tables are published. */
    private static final List<Long> FIXED = List.of(130_021L, 140_018L, 150_013L, 160_009L, 170_005L);

    private PublicationRefresh() {}

    /**
     * Waits until the transactions that run now have ended, and makes the server read again which tables are published, where the
     * server would not do so by itself.
     *
     * <p>Counterexample: T1 writes to t, t is added, T1 commits. Decoding T1, the server looks t up as T1 saw t, not
     * published, and remembers that for everything that follows: T2 begins after the load of t, writes to t, and is not sent
     * (release notes of {@link #FIXED}, "data loss in logical replication"). With this wait before the load's snapshot, no
     * such transaction is left, and what follows the snapshot is sent.
     *
     * @param source in auto-commit mode
     * @param loading tables whose load comes next
     * @param closed ends the wait
     */
    public static void settle(
            Connection source, Migration migration, Set<TableId> loading, TableLocks locks, BooleanSupplier closed)
            throws SQLException {
        Set<TableId> published = Publication.published(source, migration);
        published.retainAll(loading);
        if (published.isEmpty() || isFixed(number(source, "SELECT current_setting('server_version_num')"))) {
            return;
        }
        LOG.info("waiting for the transactions that run now");
        Horizon.await(source, Horizon.next(source), locks, closed);
        // The server reads all tables again when one joins or leaves a publication; every snapshot sees that table
        // published.
        while (!closed.getAsBoolean()) {
            for (TableId any : published) {
                if (joinAgain(source, migration, any, locks)) {
                    return;
                }
            }
            TableLocks.pause("publish a table again");
        }
    }

    private static boolean joinAgain(Connection source, Migration migration, TableId table, TableLocks locks)
            throws SQLException {
        String alter = "ALTER PUBLICATION " + Publication.name(migration);
        return locks.attemptAll(source, table.toString(), statement -> {
            statement.execute(alter + " DROP TABLE ONLY " + table.quoted());
            statement.execute(alter + " ADD TABLE ONLY " + table.quoted()
                    + migration.tables().whereClause(table));
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
