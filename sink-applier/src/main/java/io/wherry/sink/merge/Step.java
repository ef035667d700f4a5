package io.wherry.sink.merge;

import java.util.List;

/** What is done to one table, in order. */
public sealed interface Step {
    /**
     * A statement over rows; the rows travel as one array for each column.
     *
     * @param sql with one parameter for each array
     * @param arrays array literals ({@link ArrayLiteral})
     * @param rows number of rows in the arrays
     * @param counted whether the server must report exactly that number of rows
     */
    record Rows(String sql, List<String> arrays, int rows, boolean counted) implements Step {}

    /** Empties the table. */
    record Truncate() implements Step {}
}
