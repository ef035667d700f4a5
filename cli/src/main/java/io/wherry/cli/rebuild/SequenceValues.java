package io.wherry.cli.rebuild;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LastSeen;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * Gives the sequences their values as last seen. These may be older than the last rows. So a sequence that belongs to a column does
 * not stay before the highest value of the column: the next row would get a key that is taken.
 */
final class SequenceValues {
    private static final String OF_COLUMNS = """
            SELECT sn.nspname, s.relname, tn.nspname, t.relname, a.attname FROM pg_depend d
              JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
              JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0
              JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p') JOIN pg_namespace tn ON tn.oid = t.relnamespace
              JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
               AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND sn.nspname <> 'wherry'
             ORDER BY 1, 2
            """;

    private record OfColumn(TableId sequence, TableId table, String column) {}

    private SequenceValues() {}

    /**
     * Sets the values; part of the caller's transaction.
     *
     * @return what could not be set, one line each
     */
    static List<String> set(Connection target, Goal goal) throws SQLException {
        List<String> missing = new ArrayList<>();
        LastSeen seen = goal.lastSeen();
        if (seen == null) {
            missing.add(
                    "values of sequences: none is in Kafka, so each sequence continues after its column's highest value");
        } else {
            for (LastSeen.Sequence sequence : seen.sequences()) {
                if (exists(target, sequence.id())) {
                    set(target, sequence.id(), sequence.last() + ", " + sequence.called());
                } else if (!goal.isPart()) {
                    missing.add("sequence " + sequence.id() + ": does not exist here; its last value was "
                            + sequence.last());
                }
            }
        }
        if (goal.lastSeenCut() && (seen == null || seen.lsn().isAfter(goal.until()))) {
            missing.add(
                    "values of sequences: the topic last-seen has lost its first records, by retention or by hand, so they may"
                            + " be later than the commit");
        }
        if (seen == null || goal.until().isAfter(seen.lsn())) {
            raise(target);
        }
        return missing;
    }

    private static void raise(Connection target) throws SQLException {
        for (OfColumn one : Queries.list(
                target,
                row -> new OfColumn(
                        new TableId(row.getString(1), row.getString(2)),
                        new TableId(row.getString(3), row.getString(4)),
                        row.getString(5)),
                OF_COLUMNS)) {
            String highest = Queries.string(
                            target,
                            "SELECT max(" + Identifiers.quote(one.column()) + ") FROM "
                                    + one.table().quoted() + " HAVING max(" + Identifiers.quote(one.column())
                                    + ") > (SELECT last_value FROM "
                                    + one.sequence().quoted() + ")")
                    .orElse(null);
            if (highest != null) {
                set(target, one.sequence(), highest + ", true");
            }
        }
    }

    private static boolean exists(Connection target, TableId sequence) throws SQLException {
        return Queries.truth(
                target,
                "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                        + " WHERE c.relkind = 'S' AND n.nspname = ? AND c.relname = ?)",
                sequence.schema(),
                sequence.table());
    }

    private static void set(Connection target, TableId sequence, String value) throws SQLException {
        Queries.execute(
                target,
                "SELECT pg_catalog.setval(" + Identifiers.literal(sequence.quoted()) + "::pg_catalog.regclass, " + value
                        + ")");
    }
}
