package io.wherry.sink.write;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.postgresql.core.NativeQuery;
import org.postgresql.core.Parser;

/**
 * Runs SQL that was built from names and types of a topic. The driver runs a text with semicolons as several statements. If a
 * quote were ever missed, the driver would run the rest of the text.
 */
public final class OneStatement {
    private OneStatement() {}

    /** @throws IllegalArgumentException when the SQL is not one statement; that is a defect, and nothing is run */
    public static void execute(Connection target, String sql) throws SQLException {
        List<NativeQuery> statements = Parser.parseJdbcSql(sql, true, false, true, false, false);
        if (statements.size() != 1) {
            throw new IllegalArgumentException(statements.size() + " statements instead of one: " + sql);
        }
        try (Statement statement = target.createStatement()) {
            statement.setEscapeProcessing(false);
            statement.execute(sql);
        }
    }
}
