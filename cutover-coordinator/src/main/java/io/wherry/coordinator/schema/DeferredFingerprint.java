package io.wherry.coordinator.schema;

import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;

/** Shows whether the source's statements for the switch have changed since they were read. */
final class DeferredFingerprint {
    // Catalog rows of the objects whose statements wait for the switch; each change gives a row another xmin.
    private static final String FINGERPRINT = """
            SELECT md5(string_agg(catalog || oid || '.' || state, ',' ORDER BY catalog, oid, state)) FROM (
              SELECT 'c' AS catalog, oid, xmin::text AS state FROM pg_constraint WHERE contype = 'f'
              UNION ALL SELECT 't', oid, xmin::text FROM pg_trigger WHERE NOT tgisinternal
              UNION ALL SELECT 'p', oid, xmin::text FROM pg_policy
              UNION ALL SELECT 's', oid, relforcerowsecurity::text FROM pg_class WHERE relrowsecurity
              UNION ALL SELECT 'r', oid, xmin::text FROM pg_rewrite
              UNION ALL SELECT 'e', oid, xmin::text FROM pg_event_trigger
              UNION ALL SELECT 'a', oid, xmin::text FROM pg_default_acl
              -- The statements contain names too: when a table is renamed, its foreign keys change.
              UNION ALL SELECT 'n', c.oid, n.nspname || '.' || c.relname FROM pg_class c
                          JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE c.oid IN (SELECT conrelid FROM pg_constraint WHERE contype = 'f'
                                         UNION SELECT confrelid FROM pg_constraint WHERE contype = 'f'
                                         UNION SELECT tgrelid FROM pg_trigger WHERE NOT tgisinternal
                                         UNION SELECT polrelid FROM pg_policy
                                         UNION SELECT ev_class FROM pg_rewrite WHERE rulename <> '_RETURN')
              UNION ALL SELECT 'b', oid, xmin::text FROM pg_publication WHERE pubname !~ '^wherry_'
              UNION ALL SELECT 'g', setdatabase, setrole || array_to_string(setconfig, ' ') FROM pg_db_role_setting
                         WHERE setdatabase IN (SELECT oid FROM pg_database WHERE datname = current_database())
              UNION ALL SELECT 'd', objoid, xmin::text FROM pg_description
                         WHERE classoid IN ('pg_constraint'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass)) s
            """;

    private DeferredFingerprint() {}

    /** Changes with the foreign keys, triggers, rules and policies that wait for the switch. */
    static String read(Connection source) throws SQLException {
        return Queries.string(source, FINGERPRINT).orElse("");
    }
}
