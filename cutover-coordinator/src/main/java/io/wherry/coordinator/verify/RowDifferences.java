package io.wherry.coordinator.verify;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.Opening;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Finds which rows differ: the md5 of every row is streamed from both sides in order, and the streams are merged. */
final class RowDifferences {
    private static final int FETCH_ROWS = 2_000;
    private static final int KEYS_SHOWN = 10;
    // Beyond this number an exact count has no use, and memory must stay bounded.
    private static final int KEYS_COUNTED = 100_000;

    private final Flow flow;
    private final Opening sessions;

    RowDifferences(Flow flow, Opening sessions) {
        this.flow = flow;
        this.sessions = sessions;
    }

    /**
     * @param ofSource query that gives md5 and key, ordered by md5 bytewise
     * @param ofTarget the same for the target
     */
    TableResult find(CatalogTable table, String ofSource, String ofTarget, long sourceRows, long targetRows)
            throws SQLException {
        Set<String> keys = new LinkedHashSet<>();
        long beyond = 0;
        try (Rows source = new Rows(flow.from(), ofSource);
                Rows target = new Rows(flow.to(), ofTarget)) {
            while (source.hash != null || target.hash != null) {
                int order = source.hash == null ? 1 : target.hash == null ? -1 : source.hash.compareTo(target.hash);
                if (order == 0) {
                    source.next();
                    target.next();
                } else {
                    Rows single = order < 0 ? source : target;
                    if (keys.size() < KEYS_COUNTED) {
                        keys.add(single.key);
                    } else if (!keys.contains(single.key)) {
                        beyond++;
                    }
                    single.next();
                }
            }
        }
        List<String> shown = new ArrayList<>(keys.stream().limit(KEYS_SHOWN).toList());
        return new TableResult(table.id(), sourceRows, targetRows, keys.size() + beyond, shown, "");
    }

    private final class Rows implements AutoCloseable {
        private final Connection connection;
        private final PreparedStatement statement;
        private final ResultSet rows;
        private String hash;
        private String key;

        Rows(Endpoint endpoint, String sql) throws SQLException {
            connection = sessions.open(endpoint, "compare");
            // A cursor needs a transaction.
            connection.setAutoCommit(false);
            statement = connection.prepareStatement(sql);
            statement.setFetchSize(FETCH_ROWS);
            rows = statement.executeQuery();
            next();
        }

        void next() throws SQLException {
            boolean found = rows.next();
            hash = found ? rows.getString(1) : null;
            key = found ? rows.getString(2) : null;
        }

        @Override
        public void close() throws SQLException {
            connection.close();
        }
    }
}
