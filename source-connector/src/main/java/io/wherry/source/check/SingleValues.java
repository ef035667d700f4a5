package io.wherry.source.check;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Queries of one value. */
record SingleValues(Connection session) {
    /** Whether the one value of the query is true. */
    boolean flag(String query) throws SQLException {
        return text(query).equals("t");
    }

    /** The one value of the query, a whole number. */
    long number(String query) throws SQLException {
        return Long.parseLong(text(query));
    }

    /** The one value of the query as text; empty without a row. */
    String text(String query) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(query);
                ResultSet row = statement.executeQuery()) {
            return row.next() ? row.getString(1) : "";
        }
    }
}
