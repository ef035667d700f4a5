package io.wherry.source.control;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.source.control.Routes.Identity;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Reads which table of the source has a name. */
public final class TableIdentities {
    private TableIdentities() {}

    /** The tables that have the names, as the session's snapshot sees them. */
    public static Map<TableId, Identity> read(Connection session, Migration migration, Set<TableId> names)
            throws SQLException {
        Map<TableId, Long> oids = SelectedTables.oids(session, migration);
        oids.keySet().retainAll(names);
        Map<Long, ColumnNumbers> columns = ColumnNumbers.read(session, oids.values());
        Map<TableId, Identity> identities = new HashMap<>();
        oids.forEach(
                (name, oid) -> identities.put(name, new Identity(oid, columns.getOrDefault(oid, ColumnNumbers.NONE))));
        return identities;
    }
}
