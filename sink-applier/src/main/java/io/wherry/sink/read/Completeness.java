package io.wherry.sink.read;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.sink.merge.Change;

/** Whether a change says all that the target needs. */
final class Completeness {
    private Completeness() {}

    /** @throws DataException when rows or values of the change are not in the topic */
    static void require(TableId table, Change change) {
        if (change.kind() == Change.Kind.INSERT) {
            requireEveryValue(table, change);
        }
        if (change.kind() == Change.Kind.BREAK) {
            throw new DataException(
                    "apply changes to",
                    table.toString(),
                    "it is carried whole, and on the source one of its partitions was truncated by itself, or has another"
                            + " replica identity than the others",
                    Remedies.reload(table));
        }
    }

    /**
     * A row that an update of its key brings into the row filter comes as an insert, and, but under identity FULL, without the large values
     * that the update left alone (seen on 15 to 18; a native subscription writes NULL in their place).
     */
    private static void requireEveryValue(TableId table, Change change) {
        for (int i = 0; i < change.after().length; i++) {
            if (Change.isUnchanged(change.after()[i])) {
                throw new DataException(
                        "apply changes to",
                        table.toString(),
                        "an update of its key brought a row into its row filter (tables.where), and the source does not send"
                                + " the row's large value of column "
                                + Identifiers.quote(
                                        change.shape().columns().get(i).name()),
                        "On the source: ALTER TABLE " + table.quoted()
                                + " REPLICA IDENTITY FULL; then wherry reload --table " + table);
            }
        }
    }
}
