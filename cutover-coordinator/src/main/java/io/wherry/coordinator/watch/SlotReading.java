package io.wherry.coordinator.watch;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.watch.Observation.Slot;
import java.sql.Connection;
import java.sql.SQLException;

/** Reads what the source reports of the slots of a flow, as far as its version reports it. */
final class SlotReading {
    private static final String SLOT = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, active, ";

    private static final String LIMITS = "wal_status, (SELECT setting::bigint * 1048576 FROM pg_catalog.pg_settings"
            + " WHERE name = 'max_slot_wal_keep_size' AND setting <> '-1'), safe_wal_size";

    private static final String NO_LIMITS = "NULL::text, NULL::bigint, NULL::bigint";

    private static final String IDLE =
            ", CASE WHEN NOT active THEN (SELECT greatest(0, setting::bigint - extract(epoch FROM"
                    + " clock_timestamp() - inactive_since)::bigint) FROM pg_catalog.pg_settings"
                    + " WHERE name = 'idle_replication_slot_timeout' AND setting <> '0') END";

    private final Connection source;
    private final Flow flow;
    private final String query;

    SlotReading(Connection source, Flow flow) throws SQLException {
        int major = ServerVersion.major(source);
        this.source = source;
        this.flow = flow;
        this.query = SLOT
                + (major >= 13 ? LIMITS : NO_LIMITS)
                + (major >= 18 ? IDLE : ", NULL::bigint")
                + (major >= 17 ? ", invalidation_reason" : ", NULL::text")
                + " FROM pg_catalog.pg_replication_slots WHERE slot_name = ?";
    }

    /** Of several slots the one that is missing, or else the one for which the source keeps most. */
    Slot read() throws SQLException {
        Slot worst = null;
        for (CaptureGroup group : flow.groups()) {
            Slot slot = read(group.slot());
            if (worst == null || keeps(slot) > keeps(worst)) {
                worst = slot;
            }
        }
        return worst;
    }

    private static long keeps(Slot slot) {
        return slot.retainedBytes() == null ? Long.MAX_VALUE : slot.retainedBytes();
    }

    private Slot read(String slot) throws SQLException {
        return Queries.list(
                        source,
                        row -> new Slot(
                                row.getObject(1, Long.class),
                                row.getBoolean(2),
                                row.getString(3),
                                row.getObject(4, Long.class),
                                row.getObject(5, Long.class),
                                row.getObject(6, Long.class),
                                row.getString(7)),
                        query,
                        slot)
                .stream()
                .findFirst()
                .orElse(Slot.MISSING);
    }
}
