package io.wherry.contract.postgres;

/**
 * A table of an extension that is registered for dumping: the rows that match its condition belong to the users.
 *
 * @param version of the extension in this database
 * @param condition SQL after the table's name, as the extension wrote it; empty = all rows
 */
public record ExtensionTable(String extension, String version, CatalogTable table, String condition) {
    /** The users' rows, as SQL after FROM. */
    public String rows() {
        String only = table.rows();
        return condition.isBlank() ? only : only + " WHERE ctid IN (SELECT ctid FROM " + only + " " + condition + ")";
    }
}
