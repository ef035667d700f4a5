package io.wherry.sink.write;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.postgresql.core.NativeQuery;
import org.postgresql.core.Parser;

/**
 * Runs SQL that was put together from names and types of a topic. The driver runs a text with semicolons as several statements:
 * were a quote ever missed, the rest of the text would be run.
 */
public final class OneStatement {
    private OneStatement() {}

    /** @throws IllegalArgumentException when it is not one statement; a defect, then nothing is run */
    public static void execute(Connection target, String sql) throws SQLException {
        List<NativeQuery> statements = Parser.parseJdbcSql(sql, true, false, true, false, false);
        if (statements.size() != 1) {
            throw new IllegalArgumentException(statements.size() + " statements where one was meant: " + sql);
        }
        try (Statement statement = target.createStatement()) {
            statement.setEscapeProcessing(false);
            statement.execute(sql);
        }
    }
}
