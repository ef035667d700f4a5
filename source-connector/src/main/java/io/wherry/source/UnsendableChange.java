package io.wherry.source;

import io.wherry.contract.config.Migration;
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
 * A change that the server cannot send: of rows whose text is a gigabyte or more, a {@code bytea} of 512 MiB being such a
 * text. It would fail again at every start of the stream, and the slot would keep the write-ahead log for ever.
 */
final class UnsendableChange {
    // Made by elog or of a fixed errcode, so no setting translates or alters them: a text larger than the server's
    // memory
    // functions make (XX000), and a message larger than its buffers hold (54000).
    private static final String ALLOCATION = "invalid memory alloc request size";
    private static final String LIMIT_EXCEEDED = "54000";

    private UnsendableChange() {}

    /** Says what is to be done, if that is what ended the stream. */
    static Optional<DataException> explain(Migration migration, Throwable ended) {
        for (Throwable cause = ended; cause != null; cause = cause.getCause()) {
            if (cause instanceof SQLException e
                    && (LIMIT_EXCEEDED.equals(e.getSQLState())
                            || String.valueOf(e.getMessage()).contains(ALLOCATION))) {
                return Optional.of(new DataException(
                        "stream changes",
                        tables(migration),
                        "the server cannot send one of the changes: the text of its row has 1 GiB or more ("
                                + e.getMessage().replaceAll("\\s+", " ") + ")",
                        "It stays in the write-ahead log, so this slot is of no more use: delete or split the value on the"
                                + " source, or name the table in tables.exclude; then wherry reload --all: a new slot, and"
                                + " all tables again",
                        e));
            }
        }
        return Optional.empty();
    }

    /** The stream does not say of which table the change is. */
    private static String tables(Migration migration) {
        try (Connection session = Sessions.open(migration, migration.source(), "large values")) {
            List<CatalogTable> tables = SelectedTables.read(session, migration).stream()
                    .filter(table -> migration.tables().follows(table.id()))
                    .toList();
            String found = LargeValueChecks.check(session, WholeChecks.leaves(session, migration, tables)).stream()
                    .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                    .map(Finding::object)
                    .collect(Collectors.joining(", "));
            return found.isEmpty() ? "a table whose large value is gone by now" : found;
        } catch (SQLException e) {
            return "a table that is not known: " + e.getMessage();
        }
    }
}
