package io.wherry.sink.merge;

import io.wherry.sink.table.BoundTable;
import io.wherry.sink.table.BoundTable.BoundColumn;
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
     * New rows of a table, which travel as the text of a COPY.
     *
     * @param sql the COPY
     * @param columns of the COPY, in order
     * @param rows values in the order of the shape
     */
    record Copy(String sql, List<BoundColumn> columns, List<String[]> rows) implements Step {
        /** A COPY takes a round trip more than a statement, which fewer rows do not make up for. */
        static final int FEWEST = 32;

        /** A longer value is written by a statement, for which it is encoded once and as a whole. */
        static final int LONGEST = 1 << 20;

        /** Whether new rows of the table are better written by a COPY than by a statement. */
        static boolean suits(BoundTable table, List<String[]> rows) {
            if (!table.copyable() || table.columns().isEmpty() || rows.size() < FEWEST) {
                return false;
            }
            for (String[] row : rows) {
                for (String value : row) {
                    if (value != null && value.length() > LONGEST) {
                        return false;
                    }
                }
            }
            return true;
        }
    }

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
