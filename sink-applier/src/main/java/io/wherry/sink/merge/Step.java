package io.wherry.sink.merge;

import java.util.List;

/** What is done to one table, in order. */
public sealed interface Step {
    /**
     * A statement over rows that travel as one array a column.
     *
     * @param sql with one parameter an array
     * @param arrays array literals ({@link ArrayLiteral})
     * @param rows that the arrays hold
     * @param counted whether the server must report exactly that many rows
     */
    record Rows(String sql, List<String> arrays, int rows, boolean counted) implements Step {}

    /** Empties the table. */
    record Truncate() implements Step {}
}
