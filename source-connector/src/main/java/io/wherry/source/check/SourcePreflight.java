package io.wherry.source.check;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Checks whether the source can be captured, over one read-only session, before anything is changed. */
public final class SourcePreflight {
    private static final int OLDEST = 10;
    private static final int NEWEST = 18;
    private static final String WHERRY_TABLES =
            "'migration', 'journal', 'relation', 'chunk', 'checkpoint', 'applier', 'topic'";

    private static final String UNREADABLE_LARGE_OBJECTS = """
            SELECT count(*) FROM pg_catalog.pg_largeobject_metadata m
             WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
               AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) AS g
                   WHERE g.privilege_type = 'SELECT' AND (g.grantee = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE')))
               AND pg_catalog.current_setting('lo_compat_privileges') = 'off'
            """;

    private final CaptureGroup group;
    private final Connection session;
    private final SingleValues values;
    private final String role;
    private final List<Finding> findings = new ArrayList<>();

    private SourcePreflight(CaptureGroup group, Connection session) throws SQLException {
        this.group = group;
        this.session = session;
        this.values = new SingleValues(session);
        this.role = Identifiers.quote(values.text("SELECT current_user"));
    }

    /**
     * All findings; an {@link Finding.Severity#ERROR} among them refuses the start. The source's state is a finding, never an
     * exception.
     */
    public static List<Finding> check(CaptureGroup group) {
        return check(group, true);
    }

    /**
     * As {@link #check(Migration)}, for a migration that has started, without the findings about single tables. Such a finding
     * stops only its table, and is reported when the table is captured. The other tables must not wait for that.
     */
    public static List<Finding> checkStarted(CaptureGroup group) {
        return check(group, false);
    }

    private static List<Finding> check(CaptureGroup group, boolean eachTable) {
        try (Connection session = Sessions.open(group.migration(), group.from(), "preflight")) {
            session.setReadOnly(true);
            SourcePreflight preflight = new SourcePreflight(group, session);
            preflight.run(eachTable);
            return List.copyOf(preflight.findings);
        } catch (SQLException e) {
            return List.of(UnreachableSource.explain(group, e));
        }
    }

    private void run(boolean eachTable) throws SQLException {
        int major = ServerVersion.major(session);
        if (major < OLDEST) {
            error(
                    "source",
                    "PostgreSQL " + values.text("SHOW server_version")
                            + " has no pgoutput, so its changes cannot be captured",
                    "Upgrade the source to " + OLDEST + " or newer first, with pg_upgrade");
            return;
        }
        if (major > NEWEST) {
            warning("source", "PostgreSQL " + major + " is not tested", "Rehearse with this version first");
        }
        if (values.flag("SELECT pg_catalog.pg_is_in_recovery()")) {
            error("source", "the server is a standby", "Give the primary's address in source.url");
            return;
        }
        server();
        damagedPages();
        findings.addAll(SlotChecks.check(session, group));
        findings.addAll(SlotLimits.check(session));
        findings.addAll(RoleChecks.check(session, group, role));
        List<CatalogTable> tables = SelectedTables.read(session, group.migration());
        if (tables.isEmpty() && !Catalog.tables(session).isEmpty()) {
            error(
                    "tables",
                    "no table is selected by " + group.migration().tables().include(),
                    "Correct tables.include");
        }
        if (eachTable) {
            findings.addAll(TableChecks.check(session, group, tables));
        }
        findings.addAll(FilterChecks.check(session, group.migration(), tables));
        findings.addAll(WholeChecks.check(session, group, tables));
    }

    /** Wherry's sessions switch these settings off, if the role may. */
    private void damagedPages() throws SQLException {
        for (String setting : List.of("zero_damaged_pages", "ignore_checksum_failure")) {
            if (values.flag("SELECT pg_catalog.current_setting('" + setting + "')::pg_catalog.bool")) {
                error(
                        setting,
                        "is on, and role " + role
                                + " may not switch it off for itself: rows of damaged pages would be lost"
                                + " without an error",
                        "As a superuser: ALTER ROLE " + role + " SET " + setting + " = off");
            }
        }
    }

    private void server() throws SQLException {
        String level = values.text("SHOW wal_level");
        if (!level.equals("logical")) {
            error(
                    "wal_level",
                    "is " + level + ", must be logical",
                    "ALTER SYSTEM SET wal_level = 'logical', then restart the source");
        }
        String encoding = values.text("SELECT pg_catalog.getdatabaseencoding()");
        if (!encoding.equals("UTF8")) {
            warning(
                    "encoding",
                    "the database is " + encoding + ", not UTF8",
                    "Rehearse first: text that is not valid " + encoding + " stops the load");
        }
        String foreign = values.text("SELECT coalesce(string_agg(c.relname, ', '), '') FROM pg_catalog.pg_class c"
                + " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'wherry'"
                + " AND c.relkind IN ('r', 'p') AND c.relname NOT IN (" + WHERRY_TABLES + ")");
        if (!foreign.isEmpty()) {
            error(
                    "schema wherry",
                    "holds tables that are not Wherry's: " + foreign,
                    "Rename the schema: Wherry reserves this name, and does not carry the tables of the schema");
        }
        long unreadable = values.number(UNREADABLE_LARGE_OBJECTS);
        if (unreadable > 0) {
            error(
                    "large objects",
                    "role " + role + " may not read " + unreadable + " of them",
                    "GRANT SELECT ON LARGE OBJECT … TO " + role + ", or ALTER DATABASE "
                            + Identifiers.quote(session.getCatalog()) + " SET lo_compat_privileges = on");
        }
    }

    private void error(String object, String problem, String remedy) {
        findings.add(Finding.error(object, problem, remedy));
    }

    private void warning(String object, String problem, String remedy) {
        findings.add(Finding.warning(object, problem, remedy));
    }
}
