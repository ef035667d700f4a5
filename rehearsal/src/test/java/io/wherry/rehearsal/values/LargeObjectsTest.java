package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import org.junit.jupiter.api.Test;

/** Large objects arrive with content, owner, grants and comment, whatever happens to them until the cutover. */
final class LargeObjectsTest {
    private static final String EVERYTHING = """
            SELECT string_agg(concat_ws(' ', m.oid, pg_get_userbyid(m.lomowner), m.lomacl IS NULL,
                       (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(m.lomacl) AS a),
                       obj_description(m.oid, 'pg_largeobject'), length(lo_get(m.oid)), md5(lo_get(m.oid))), E'\\n' ORDER BY m.oid) FROM pg_largeobject_metadata m
            """;

    @Test
    void changedNewAndDeletedObjectsAreCarried() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("large-objects", 13, 17)) {
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.picture (id int PRIMARY KEY, content oid)",
                    "SELECT lo_from_bytea(1000 + i, decode(repeat(md5(i::text), i), 'hex')) FROM generate_series(1, 40) AS i",
                    "SELECT lo_create(2000)",
                    // Objects of several pieces, of exactly one piece, and with a hole.
                    "SELECT lo_from_bytea(2001, decode(repeat('00ff10', 1200000), 'hex'))",
                    "SELECT lo_from_bytea(2002, decode(repeat('a5', 1048576), 'hex'))",
                    "SELECT lo_create(2003)",
                    "SELECT lo_put(2003, 3000000, '\\x01')",
                    "SELECT lo_from_bytea(4294967295, '\\xff')",
                    "INSERT INTO public.picture SELECT i, 1000 + i FROM generate_series(1, 40) AS i",
                    "COMMENT ON LARGE OBJECT 1001 IS 'it''s the first'",
                    "ALTER LARGE OBJECT 1002 OWNER TO app",
                    "GRANT SELECT ON LARGE OBJECT 1003 TO app WITH GRANT OPTION",
                    "GRANT ALL ON LARGE OBJECT 1004 TO PUBLIC",
                    "REVOKE ALL ON LARGE OBJECT 1005 FROM wherry");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            assertThat(migration.text(target, EVERYTHING)).isEqualTo(migration.text(source, EVERYTHING));

            migration.execute(
                    source,
                    "SELECT lo_put(1006, 3, '\\x00')",
                    "SELECT lo_put(2001, 3500000, '\\xabcdef')",
                    "SELECT lo_unlink(1007)",
                    "SELECT lo_unlink(1008), lo_create(1008)",
                    "SELECT lo_from_bytea(1041, 'new'::bytea)",
                    "INSERT INTO public.picture VALUES (41, 1041)",
                    "COMMENT ON LARGE OBJECT 1001 IS NULL",
                    "ALTER LARGE OBJECT 1002 OWNER TO wherry",
                    "REVOKE GRANT OPTION FOR SELECT ON LARGE OBJECT 1003 FROM app");
            migration.completeExactly();
            assertThat(migration.text(target, EVERYTHING)).isEqualTo(migration.text(source, EVERYTHING));
            String count = "SELECT count(*) FROM pg_largeobject_metadata";
            assertThat(migration.number(target, count))
                    .isEqualTo(migration.number(source, count))
                    .isGreaterThan(40);
        }
    }
}
