package io.wherry.source.check;

import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.PoolerException;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.source.server.Holder;
import io.wherry.source.server.Publication;
import io.wherry.source.server.ReplicationSlot;
import io.wherry.source.server.SourceWaits;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Looks whether the source can be captured, over one read-only session, before anything is changed. */
public final class SourcePreflight {
    private static final int OLDEST = 10;
    private static final int NEWEST = 18;
    private static final String OUR_TABLES =
            "'migration', 'journal', 'relation', 'chunk', 'checkpoint', 'applier', 'topic'";

    private static final String UNREADABLE = """
            SELECT n.nspname, c.relname, c.relkind = 'S' FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%'
               AND n.nspname NOT IN ('information_schema', 'wherry')
               AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind
                        WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                        ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
             ORDER BY 1, 2
            """;

    private static final String UNREADABLE_LARGE_OBJECTS = """
            SELECT count(*) FROM pg_catalog.pg_largeobject_metadata m
             WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
               AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) AS g
                   WHERE g.privilege_type = 'SELECT' AND (g.grantee = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE')))
               AND pg_catalog.current_setting('lo_compat_privileges') = 'off'
            """;

    private final Migration migration;
    private final Connection session;
    private final String role;
    private final List<Finding> findings = new ArrayList<>();

    private SourcePreflight(Migration migration, Connection session) throws SQLException {
        this.migration = migration;
        this.session = session;
        this.role = Identifiers.quote(text("SELECT current_user"));
    }

    /**
     * Everything worth telling; an {@link Finding.Severity#ERROR} among them refuses the start. Never throws for the source's state.
     */
    public static List<Finding> check(Migration migration) {
        return check(migration, true);
    }

    /**
     * As {@link #check(Migration)}, for a migration that has begun: what is wrong with one table concerns that one alone, and is told
     * where it is met. The others must not wait for it.
     */
    public static List<Finding> checkBegun(Migration migration) {
        return check(migration, false);
    }

    private static List<Finding> check(Migration migration, boolean eachTable) {
        try (Connection session = Sessions.open(migration, migration.source(), "preflight")) {
            session.setReadOnly(true);
            SourcePreflight preflight = new SourcePreflight(migration, session);
            preflight.run(eachTable);
            return List.copyOf(preflight.findings);
        } catch (SQLException e) {
            return List.of(unreachable(migration, e));
        }
    }

    private static Finding unreachable(Migration migration, SQLException e) {
        String state = e.getSQLState() == null ? "" : e.getSQLState();
        String object = "source " + migration.source();
        String message = e.getMessage().lines().findFirst().orElse("");
        if (e instanceof PoolerException pooler) {
            return Finding.error(object, message, pooler.remedy("source.url"));
        }
        if (state.equals("28P01")) {
            return Finding.error(
                    object, "wrong password or role: " + message, "Correct source.user and source.password");
        }
        if (state.startsWith("28")) {
            return Finding.error(
                    object, "login refused: " + message, "Correct source.user, or add a line to pg_hba.conf");
        }
        if (state.equals("3D000")) {
            return Finding.error(object, "no such database: " + message, "Correct the database in source.url");
        }
        if (state.startsWith("08") && Sessions.isTlsProblem(e)) {
            return Finding.error(
                    object,
                    "its certificate is refused: " + message,
                    "Correct sslmode, sslrootcert or the host name in source.url");
        }
        if (state.startsWith("08")) {
            return Finding.error(
                    object,
                    "cannot be reached: " + message,
                    "Look whether the server runs and listens there, and what stands between");
        }
        return Finding.error(object, "cannot be checked: " + message, "Mend what the server says");
    }

    private void run(boolean eachTable) throws SQLException {
        int major = ServerVersion.major(session);
        if (major < OLDEST) {
            error(
                    "source",
                    "PostgreSQL " + text("SHOW server_version") + " has no pgoutput, so its changes cannot be captured",
                    "Upgrade it to " + OLDEST + " or newer first, by pg_upgrade");
            return;
        }
        if (major > NEWEST) {
            warning("source", "PostgreSQL " + major + " was never tried", "Rehearse with this version first");
        }
        if (flag("SELECT pg_catalog.pg_is_in_recovery()")) {
            error("source", "the server is a standby", "Give the primary's address in source.url");
            return;
        }
        server();
        damagedPages();
        slot();
        findings.addAll(SlotLimits.check(session));
        role();
        List<CatalogTable> tables = SelectedTables.read(session, migration);
        if (tables.isEmpty() && !Catalog.tables(session).isEmpty()) {
            error("tables", "no table is selected by " + migration.tables().include(), "Correct tables.include");
        }
        if (eachTable) {
            findings.addAll(TableChecks.check(session, migration, tables));
        }
        findings.addAll(FilterChecks.check(session, migration, tables));
        findings.addAll(WholeChecks.check(session, migration, tables));
    }

    /** In a session of ours only where our role may not switch it off. */
    private void damagedPages() throws SQLException {
        for (String setting : List.of("zero_damaged_pages", "ignore_checksum_failure")) {
            if (flag("SELECT pg_catalog.current_setting('" + setting + "')::pg_catalog.bool")) {
                error(
                        setting,
                        "is on, and role " + role
                                + " may not switch it off for itself: rows of damaged pages would be lost"
                                + " without a word",
                        "As a superuser: ALTER ROLE " + role + " SET " + setting + " = off");
            }
        }
    }

    private void server() throws SQLException {
        String level = text("SHOW wal_level");
        if (!level.equals("logical")) {
            error(
                    "wal_level",
                    "is " + level + ", must be logical",
                    "ALTER SYSTEM SET wal_level = 'logical', then restart the source");
        }
        String encoding = text("SELECT pg_catalog.getdatabaseencoding()");
        if (!encoding.equals("UTF8")) {
            warning(
                    "encoding",
                    "the database is " + encoding + ", not UTF8",
                    "Rehearse it: text that is no valid " + encoding + " stops the load");
        }
        String foreign = text("SELECT coalesce(string_agg(c.relname, ', '), '') FROM pg_catalog.pg_class c"
                + " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'wherry'"
                + " AND c.relkind IN ('r', 'p') AND c.relname NOT IN (" + OUR_TABLES + ")");
        if (!foreign.isEmpty()) {
            error(
                    "schema wherry",
                    "holds tables that are not Wherry's: " + foreign,
                    "Rename it: Wherry keeps this name for itself and would not carry them");
        }
        long unreadable = number(UNREADABLE_LARGE_OBJECTS);
        if (unreadable > 0) {
            error(
                    "large objects",
                    "role " + role + " may not read " + unreadable + " of them",
                    "GRANT SELECT ON LARGE OBJECT … TO " + role + ", or ALTER DATABASE "
                            + Identifiers.quote(session.getCatalog()) + " SET lo_compat_privileges = on");
        }
    }

    private void slot() throws SQLException {
        String name = migration.slot();
        Optional<ReplicationSlot.State> slot = ReplicationSlot.find(session, name);
        if (slot.isPresent()) {
            existing(name, slot.get());
            return;
        }
        if (number("SELECT (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'max_replication_slots')"
                        + " - (SELECT count(*) FROM pg_catalog.pg_replication_slots)")
                < 1) {
            error(
                    "max_replication_slots",
                    "no replication slot is free",
                    "Drop one that nobody needs (pg_replication_slots), or raise it and restart the source");
        }
        if (number("SELECT (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'max_wal_senders')"
                        + " - (SELECT count(*) FROM pg_catalog.pg_stat_replication)")
                < 2) {
            error(
                    "max_wal_senders",
                    "fewer than two wal senders are free",
                    "ALTER SYSTEM SET max_wal_senders = 10, then restart the source");
        }
        long old = number("SELECT count(*) FROM pg_catalog.pg_stat_activity"
                + " WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '1 minute'");
        if (old > 0) {
            warning(
                    "transactions",
                    old + " have been writing for more than a minute, and the slot waits for them; the oldest is "
                            + SourceWaits.oldest(session).map(Holder::text).orElse("over now"),
                    "See pg_stat_activity (backend_xid, xact_start) for the others");
        }
    }

    private void existing(String name, ReplicationSlot.State slot) throws SQLException {
        String drop = "If no migration needs it: SELECT pg_drop_replication_slot('" + name + "')";
        if (!slot.plugin().equals(ReplicationSlot.PLUGIN)) {
            error("slot " + name, "exists with plugin '" + slot.plugin() + "', not pgoutput", drop);
        } else if (!slot.database().equals(session.getCatalog())) {
            error("slot " + name, "exists for database " + slot.database(), drop + "; else choose another name");
        } else if (slot.lost()) {
            // Not an error: the source-connector must be there to follow the order.
            findings.add(Finding.warning(
                    "slot " + name, "is lost: " + slot.lostBecause(), "wherry reload --all, once the services run"));
        }
    }

    private void role() throws SQLException {
        if (!flag("SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user")
                && !flag("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication'"
                        + " AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER'))")) {
            error(
                    "role " + role,
                    "may not replicate",
                    "ALTER ROLE " + role + " REPLICATION (on RDS: GRANT rds_replication TO " + role + ")");
        }
        if (!Publication.exists(session, migration)
                && !flag("SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE')")) {
            error(
                    "role " + role,
                    "may not make a publication",
                    "GRANT CREATE ON DATABASE " + Identifiers.quote(session.getCatalog()) + " TO " + role);
        }
        unreadable();
    }

    /** Tables that are not selected are in the schema's dump, which locks them; sequences are read at the cutover. */
    private void unreadable() throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(UNREADABLE);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId id = new TableId(row.getString(1), row.getString(2));
                boolean dumped = migration.schema() == TargetSchemaMode.CREATE;
                if (row.getBoolean(3) || dumped && !migration.tables().selects(id)) {
                    error(
                            id.toString(),
                            "may not be read, as the copy of the schema and of sequences must",
                            "GRANT USAGE ON SCHEMA " + Identifiers.quote(id.schema()) + " TO " + role
                                    + "; GRANT SELECT ON " + id.quoted() + " TO " + role);
                }
            }
        }
    }

    private void error(String object, String problem, String remedy) {
        findings.add(Finding.error(object, problem, remedy));
    }

    private void warning(String object, String problem, String remedy) {
        findings.add(Finding.warning(object, problem, remedy));
    }

    private boolean flag(String query) throws SQLException {
        return text(query).equals("t");
    }

    private long number(String query) throws SQLException {
        return Long.parseLong(text(query));
    }

    private String text(String query) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(query);
                ResultSet row = statement.executeQuery()) {
            return row.next() ? row.getString(1) : "";
        }
    }
}
