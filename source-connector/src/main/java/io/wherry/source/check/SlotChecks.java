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
        namedStandbys(slot.isPresent());
        if (slot.isPresent()) {
            existing(name, slot.get());
            return;
        }
        long slots = free("max_replication_slots", "pg_replication_slots");
        if (slots < 1) {
            error(
                    "max_replication_slots",
                    "no replication slot is free",
                    "Drop a slot that is not needed (see pg_replication_slots), or raise the setting and restart the source");
        } else if (slots < wanted()) {
            scarce("max_replication_slots", slots);
        }
        long senders = free("max_wal_senders", "pg_stat_replication");
        if (senders < 2) {
            error(
                    "max_wal_senders",
                    "fewer than two wal senders are free",
                    "ALTER SYSTEM SET max_wal_senders = 10, then restart the source");
        } else if (senders < wanted()) {
            scarce("max_wal_senders", senders);
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

    private long free(String setting, String used) throws SQLException {
        return values.number("SELECT (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = '" + setting
                + "') - (SELECT count(*) FROM pg_catalog." + used + ")");
    }

    /** The stream of the changes has one; a table that is loaded later takes one for a moment, and the witness one all the time. */
    private int wanted() {
        return group.migration().verify().witness() ? 3 : 2;
    }

    private void scarce(String setting, long free) throws SQLException {
        long enough = values.number("SELECT setting::int FROM pg_catalog.pg_settings WHERE name = '" + setting + "'")
                + wanted()
                - free;
        String needs = "the stream of the changes needs one, and a table that is loaded later another for a moment";
        findings.add(Finding.warning(
                setting,
                free + " are free: " + needs
                        + (wanted() == 3
                                ? "; the witness of the comparison then begins only when a third is free, and until then a"
                                        + " cutover compares every row in its window"
                                : ""),
                "ALTER SYSTEM SET " + setting + " = " + enough + ", then restart the source"));
    }

    /**
     * With {@code *} the server may take any client that streams for a standby, and each COMMIT of an application would wait until
     * Kafka has its changes (PostgreSQL documentation, section 19.6.2). A migration that has begun continues: its slot holds WAL.
     */
    private void namedStandbys(boolean begun) throws SQLException {
        if (!values.flag("SELECT pg_catalog.current_setting('synchronous_standby_names') LIKE '%*%'")) {
            return;
        }
        findings.add(new Finding(
                begun ? Finding.Severity.WARNING : Finding.Severity.ERROR,
                "synchronous_standby_names",
                "counts every client that streams as a standby, so applications would wait for the source-connector at each"
                        + " COMMIT",
                "Name the standbys on the source: ALTER SYSTEM SET synchronous_standby_names = 'NAME'; SELECT"
                        + " pg_reload_conf()"));
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
