package io.wherry.bench;

import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** What a table holds, by plain SQL that every server from 10 on knows; no part of the product that is measured. */
final class Digests {
    private Digests() {}

    /** The plain aggregate: rows, and a sum of 60 bits of each row's md5. */
    static String query(String table) {
        return "SELECT count(*) || ' rows, sum ' || coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint"
                + "::numeric), 0) FROM " + table + " AS t";
    }

    /** Number of rows and sum of their hashes, of each table. */
    static String of(Connection side, List<String> tables) throws SQLException {
        List<String> each = new ArrayList<>();
        for (String table : tables) {
            each.add(table + " " + Queries.string(side, query(table)).orElseThrow());
        }
        return String.join("; ", each);
    }
}
