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

    /**
     * Brings rows right. A repair that the target refuses changes nothing: then the rows stay as they were.
     *
     * @param together statements for all rows
     * @param singly statements for each row by itself, to be tried when the target refuses all rows together; empty for one row
     */
    record Repair(List<Rows> together, List<List<Rows>> singly) implements Step {}

    /** Empties the table. */
    record Truncate() implements Step {}
}
