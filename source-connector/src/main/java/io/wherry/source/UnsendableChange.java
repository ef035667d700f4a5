package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Sessions;
import io.wherry.source.check.LargeValueChecks;
import io.wherry.source.check.WholeChecks;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A change that the server cannot send: the text of the row has a gigabyte or more, as with a {@code bytea} of 512 MiB. The stream
 * would fail at this change after every start, and the slot would keep the write-ahead log forever.
 */
final class UnsendableChange {
    // Messages by elog or with a fixed errcode, so no setting translates or changes them: the text is too large for
    // the server's memory functions (XX000), or the message is too large for its buffers (54000).
    private static final String ALLOCATION = "invalid memory alloc request size";
    private static final String LIMIT_EXCEEDED = "54000";

    private UnsendableChange() {}

    /** Explains what the operator must do, if such a change has ended the stream. */
    static Optional<DataException> explain(CaptureGroup group, Throwable ended) {
        for (Throwable cause = ended; cause != null; cause = cause.getCause()) {
            if (cause instanceof SQLException e
                    && (LIMIT_EXCEEDED.equals(e.getSQLState())
                            || String.valueOf(e.getMessage()).contains(ALLOCATION))) {
                return Optional.of(new DataException(
                        "stream changes",
                        tables(group),
                        "the server cannot send one of the changes: the text of its row has 1 GiB or more ("
                                + e.getMessage().replaceAll("\\s+", " ") + ")",
                        "The change stays in the write-ahead log, so this slot can no longer be used: delete or split the"
                                + " value on the source, or name the table in tables.exclude; then wherry reload --all,"
                                + " which creates a new slot and re-loads all tables",
                        e));
            }
        }
        return Optional.empty();
    }

    /** Searches for the table, which the stream does not name. */
    private static String tables(CaptureGroup group) {
        try (Connection session = Sessions.open(group.migration(), group.from(), "large values")) {
            List<CatalogTable> tables = SelectedTables.read(session, group.migration()).stream()
                    .filter(table -> group.migration().tables().follows(table.id()))
                    .toList();
            String found = LargeValueChecks.check(session, WholeChecks.leaves(session, group, tables)).stream()
                    .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                    .map(Finding::object)
                    .collect(Collectors.joining(", "));
            return found.isEmpty() ? "a table whose large value no longer exists" : found;
        } catch (SQLException e) {
            return "an unknown table: " + e.getMessage();
        }
    }
}
