package io.wherry.source.control;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;

/**
 * How a table was cut into chunks, and what must be unchanged so that another run can continue with the chunks; record of the
 * control topic. Chunk <i>n</i> holds the rows from bound <i>n - 1</i> on and below bound <i>n</i>. The first and the last chunk
 * are open, so rows on pages that were added after the count are in a chunk too.
 *
 * @param epoch of the load plan that cut the table
 * @param file number of the file that held the rows; in another file the rows have other places
 * @param columns names and types that were read
 * @param filter WHERE clause with the condition on the wanted rows; empty = all rows
 * @param key columns that identify a row; empty = keyless
 * @param by column by whose ranges the table is cut, as SQL
 * @param type of that column, as SQL
 * @param bounds values of it, ascending
 * @param firstTransaction the oldest transaction that the snapshot does not see, with its epoch. What earlier transactions wrote
 *     is in the snapshot
 * @param numbers of the table's columns; null = written by an older source-connector
 * @param parts the partitions of a table that is carried whole, whose chunks follow one another; else none. The load of such a
 *     table is not continued, but starts again
 */
public record ChunkLayout(
        TableId table,
        int epoch,
        long oid,
        long file,
        List<String> columns,
        String filter,
        List<String> key,
        String by,
        String type,
        List<String> bounds,
        long firstTransaction,
        ColumnNumbers numbers,
        List<Part> parts) {
    public ChunkLayout {
        parts = parts == null ? List.of() : List.copyOf(parts);
    }

    /**
     * A partition.
     *
     * @param attached the transaction that attached the partition
     * @param file number of the file that held its rows; 0 = the partition held no rows when it was first seen
     * @param bounds as the bounds of a table; null = only its own partitions hold rows
     */
    public record Part(long oid, TableId id, String attached, long file, List<String> bounds) {
        public int chunks() {
            return bounds == null ? 0 : bounds.size() + 1;
        }
    }

    /** The transaction numbers in the headers of rows start again after this many. */
    private static final long TRANSACTION_NUMBERS = 1L << 32;

    /** Names and types of the columns that a load reads. */
    public static List<String> columns(CatalogTable table) {
        List<String> columns = new ArrayList<>();
        for (CatalogColumn column : table.writable()) {
            columns.add(column.name() + " " + column.type().quoted() + " " + column.typeOid());
        }
        return columns;
    }

    /** Number of chunks. */
    public int size() {
        // A whole table without partitions has one chunk without rows.
        return parts.isEmpty()
                ? bounds.size() + 1
                : Math.max(1, parts.stream().mapToInt(Part::chunks).sum());
    }

    /** SQL that selects the rows of a chunk; empty = all. */
    public String condition(int chunk) {
        return range(chunk, chunk);
    }

    /**
     * SQL that selects rows of the given chunks that may have been written since the first snapshot. It also selects some rows that
     * were not: rows of transactions that had ended while an older one was still open, and rows of transactions so old that their
     * numbers are in use again.
     *
     * @param endTransaction the first transaction that the present snapshot cannot know, with its epoch
     */
    public String changed(SortedSet<Integer> chunks, long endTransaction) {
        List<String> ranges = new ArrayList<>();
        int from = -1;
        int to = -1;
        for (int chunk : chunks) {
            if (from >= 0 && chunk > to + 1) {
                ranges.add("(" + range(from, to) + ")");
                from = chunk;
            }
            from = from < 0 ? chunk : from;
            to = chunk;
        }
        String last = range(from, to);
        String where = last.isEmpty() ? "" : "(" + String.join(" OR ", with(ranges, "(" + last + ")")) + ") AND ";
        return where + "pg_catalog.mod(xmin::pg_catalog.text::bigint - " + firstTransaction % TRANSACTION_NUMBERS
                + " + " + TRANSACTION_NUMBERS + ", " + TRANSACTION_NUMBERS + ") < "
                + (endTransaction - firstTransaction);
    }

    /** Whether a load of the table as it is now can continue with these chunks. */
    public boolean fits(
            CatalogTable now, ColumnNumbers numbersNow, long fileNow, String filterNow, long endTransaction) {
        return !key.isEmpty()
                && key.equals(now.identity())
                && oid == now.oid()
                && file == fileNow
                && columns.equals(columns(now))
                && numbers != null
                && numbers.numbers().equals(numbersNow.numbers())
                && filter.equals(filterNow)
                && endTransaction - firstTransaction < TRANSACTION_NUMBERS;
    }

    private static List<String> with(List<String> some, String more) {
        List<String> all = new ArrayList<>(some);
        all.add(more);
        return all;
    }

    private String range(int first, int last) {
        return range(by, type, bounds, first, last);
    }

    /** SQL that selects the rows from the first chunk to the last; empty = all. */
    public static String range(String by, String type, List<String> bounds, int first, int last) {
        String from = first == 0 ? "" : by + " >= " + Identifiers.literal(bounds.get(first - 1)) + "::" + type;
        String to = last == bounds.size() ? "" : by + " < " + Identifiers.literal(bounds.get(last)) + "::" + type;
        return from + (from.isEmpty() || to.isEmpty() ? "" : " AND ") + to;
    }
}
