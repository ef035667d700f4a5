package io.wherry.source.check;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.Finding;
import io.wherry.source.server.Holder;
import io.wherry.source.server.ReplicationSlot;
import io.wherry.source.server.SourceWaits;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Checks that the migration's slot can be created and read, or that the existing one is the migration's. */
final class SlotChecks {
    private final CaptureGroup group;
    private final Connection session;
    private final SingleValues values;
    private final List<Finding> findings = new ArrayList<>();

    private SlotChecks(CaptureGroup group, Connection session) {
        this.group = group;
        this.session = session;
        values = new SingleValues(session);
    }

    static List<Finding> check(Connection session, CaptureGroup group) throws SQLException {
        SlotChecks checks = new SlotChecks(group, session);
        checks.slot();
        return checks.findings;
    }

    private void slot() throws SQLException {
        String name = group.slot();
        Optional<ReplicationSlot.State> slot = ReplicationSlot.find(session, name);
        if (slot.isPresent()) {
            existing(name, slot.get());
            return;
        }
        if (values.number(
                        "SELECT (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'max_replication_slots')"
                                + " - (SELECT count(*) FROM pg_catalog.pg_replication_slots)")
                < 1) {
            error(
                    "max_replication_slots",
                    "no replication slot is free",
                    "Drop a slot that is not needed (see pg_replication_slots), or raise the setting and restart the source");
        }
        if (values.number("SELECT (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'max_wal_senders')"
                        + " - (SELECT count(*) FROM pg_catalog.pg_stat_replication)")
                < 2) {
            error(
                    "max_wal_senders",
                    "fewer than two wal senders are free",
                    "ALTER SYSTEM SET max_wal_senders = 10, then restart the source");
        }
        long old = values.number("SELECT count(*) FROM pg_catalog.pg_stat_activity"
                + " WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '1 minute'");
        if (old > 0) {
            findings.add(Finding.warning(
                    "transactions",
                    old + " have been writing for more than a minute, and the new slot waits for them; the oldest is "
                            + SourceWaits.oldest(session).map(Holder::text).orElse("no longer open"),
                    "See pg_stat_activity (backend_xid, xact_start) for the others"));
        }
    }

    private void existing(String name, ReplicationSlot.State slot) throws SQLException {
        String drop = "If no migration needs it: SELECT pg_drop_replication_slot('" + name + "')";
        if (!slot.plugin().equals(ReplicationSlot.PLUGIN)) {
            error("slot " + name, "exists with plugin '" + slot.plugin() + "', not pgoutput", drop);
        } else if (!slot.database().equals(session.getCatalog())) {
            error("slot " + name, "exists for database " + slot.database(), drop + "; else choose another name");
        } else if (slot.lost()) {
            // Not an error: the source-connector must run to follow the operator's order.
            findings.add(Finding.warning(
                    "slot " + name, "is lost: " + slot.lostBecause(), "wherry reload --all, once the services run"));
        }
    }

    private void error(String object, String problem, String remedy) {
        findings.add(Finding.error(object, problem, remedy));
    }
}
