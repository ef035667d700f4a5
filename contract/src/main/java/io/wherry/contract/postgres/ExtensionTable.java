package io.wherry.contract.postgres;

/**
 * A table of an extension that is registered for dumping: the rows that its condition names are the users' own.
 *
 * @param version of the extension in this database
 * @param condition what follows the table's name in SQL, as the extension wrote it; empty = all rows
 */
public record ExtensionTable(String extension, String version, CatalogTable table, String condition) {
    /** The users' rows, as what follows FROM in SQL. */
    public String rows() {
        String only = table.rows();
        return condition.isBlank() ? only : only + " WHERE ctid IN (SELECT ctid FROM " + only + " " + condition + ")";
    }
}
