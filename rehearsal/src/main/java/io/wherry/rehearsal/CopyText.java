package io.wherry.rehearsal;

import io.wherry.contract.name.TableId;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.copy.PGCopyOutputStream;

/** Rows as PostgreSQL's COPY writes them, one line each, sorted. */
public final class CopyText {
    private CopyText() {}

    /**
     * @param columns quoted, separated by commas; may be empty
     * @param rows SQL after FROM
     */
    public static List<String> lines(Connection session, String columns, String rows) throws SQLException, IOException {
        CopyLines lines = new CopyLines();
        copyOut(session, columns, rows, lines);
        return lines.sorted();
    }

    /** The rows as COPY writes them, in the order in which they come. */
    public static byte[] bytes(Connection session, String columns, String rows) throws SQLException, IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        copyOut(session, columns, rows, bytes);
        return bytes.toByteArray();
    }

    /**
     * The source's rows as the target's server writes the same values. Versions differ, for example in the text of floating-point
     * values (from 12 on it is the shortest exact text).
     *
     * @param table of the target, with those columns
     */
    public static List<String> linesAsWrittenBy(
            Connection target, TableId table, Connection source, String columns, String rows)
            throws SQLException, IOException {
        return linesAsWrittenBy(target, table, columns, into -> copyOut(source, columns, rows, into));
    }

    /** The same of rows that were copied before, by {@link #bytes}. */
    public static List<String> linesAsWrittenBy(Connection target, TableId table, String columns, byte[] copied)
            throws SQLException, IOException {
        return linesAsWrittenBy(target, table, columns, into -> into.write(copied));
    }

    @FunctionalInterface
    private interface Copied {
        void to(OutputStream out) throws SQLException, IOException;
    }

    private static List<String> linesAsWrittenBy(Connection target, TableId table, String columns, Copied copied)
            throws SQLException, IOException {
        try (Statement statement = target.createStatement()) {
            statement.execute("CREATE TEMP TABLE compared (LIKE " + table.quoted() + ")");
            PGCopyOutputStream into = new PGCopyOutputStream(
                    target.unwrap(PGConnection.class),
                    "COPY pg_temp.compared" + (columns.isEmpty() ? "" : "(" + columns + ")") + " FROM STDIN");
            copied.to(into);
            into.endCopy();
            List<String> lines = lines(target, columns, "pg_temp.compared");
            statement.execute("DROP TABLE pg_temp.compared");
            return lines;
        }
    }

    private static void copyOut(Connection session, String columns, String rows, OutputStream out)
            throws SQLException, IOException {
        CopyManager copies = session.unwrap(PGConnection.class).getCopyAPI();
        copies.copyOut("COPY (SELECT " + columns + " FROM " + rows + ") TO STDOUT", out);
    }
}
