package io.wherry.coordinator;

import io.wherry.contract.Identifiers;
import io.wherry.contract.TableId;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Sequence values; logical replication does not carry them. */
final class Sequences {
    private static final String ALL = """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'wherry'
               AND (NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                   AND d.objid = c.oid AND d.deptype = 'e')
                    -- Of an extension's tables that hold rows of the users'.
                    OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig) OR EXISTS (
                                 SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (e.extconfig)
                                    AND d.deptype IN ('a', 'i'))))
             ORDER BY 1, 2
            """;

    private Sequences() {}

    /** @param called whether the value has been handed out: the next is one step further */
    record Value(TableId sequence, long last, boolean called) {}

    static List<Value> read(Connection database) throws SQLException {
        List<Value> values = new ArrayList<>();
        for (TableId id : Queries.list(database, row -> new TableId(row.getString(1), row.getString(2)), ALL)) {
            values.addAll(Queries.list(
                    database,
                    row -> new Value(id, row.getLong(1), row.getBoolean(2)),
                    "SELECT last_value, is_called FROM " + id.quoted()));
        }
        return values;
    }

    /** Sets the values on the target. Not undone by a rollback, which does no harm: nobody uses them before the switch. */
    static void write(Connection target, List<Value> values) throws SQLException {
        for (Value value : values) {
            Queries.execute(
                    target,
                    "SELECT pg_catalog.setval("
                            + Identifiers.literal(value.sequence().quoted()) + "::pg_catalog.regclass, " + value.last()
                            + ", " + value.called() + ")");
        }
    }
}
