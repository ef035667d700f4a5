package io.wherry.rehearsal.schema;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.schema.SchemaCompare;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Names and values of database objects that are SQL, or that a format, a driver or a dump might take for a special sign. */
class InjectionTest {
    private static final List<String> NAMES = List.of(
            "x\"; DROP TABLE canary; --",
            "a'b\\c'); DROP TABLE canary; --",
            "$$ {fn now()} ? :p %s %1$s ${x}",
            "t; Type: TABLE; Schema: -; Owner: evil",
            "new\nline\nDROP TABLE canary;");
    private static final List<String> VALUES = List.of(
            "'; DROP TABLE public.canary; --",
            "\\",
            "\\.",
            "\\N",
            "E'\\''",
            "\t\r\n",
            "$$",
            "{}",
            "NULL",
            "",
            "\"",
            "{fn now()} ?");

    @Test
    void namesAndValuesAreNeverRun() throws Exception {
        try (MigrationFixture fixture = MigrationFixture.between(ServerPair.shared(), "injection")) {
            for (String name : NAMES) {
                String role = "CREATE ROLE " + q("r" + name);
                fixture.execute(fixture.migration().source(), role);
                fixture.execute(fixture.migration().target(), role);
            }
            fixture.execute(
                    fixture.migration().source(),
                    "CREATE TABLE public.canary (id int PRIMARY KEY)",
                    "INSERT INTO public.canary VALUES (1)");
            for (String name : NAMES) {
                fixture.execute(fixture.migration().source(), objects(name));
            }
            fixture.startAll();
            fixture.awaitState(State.IN_SYNC);
            for (String name : NAMES) {
                fixture.execute(fixture.migration().source(), changes(name));
            }
            fixture.awaitState(State.IN_SYNC);
            fixture.cutOverAndCompare();
            // Not line by line: some of these names have two lines.
            Migration migration = fixture.migration();
            assertThat(new SchemaCompare(
                                    Flow.first(migration),
                                    PostgresTools.locate(SchemaCopy.toolsVersion(Flow.first(migration))))
                            .run())
                    .matches(SchemaCompare.Result::equal);
            assertThat(fixture.number(fixture.migration().target(), "SELECT count(*) FROM public.canary"))
                    .isOne();
        }
    }

    private static String[] objects(String name) {
        String schema = q(name) + ".";
        String table = schema + q(name + "t");
        String keyless = schema + q(name + "k");
        List<String> sql = new ArrayList<>(List.of(
                "CREATE SCHEMA " + q(name),
                "CREATE TYPE " + schema + q(name) + " AS ENUM (" + l(name) + ", 'b')",
                "CREATE DOMAIN " + schema + q(name + "d") + " AS text CONSTRAINT " + q(name) + " CHECK (VALUE <> "
                        + l(name) + ")",
                "CREATE SEQUENCE " + schema + q(name + "s") + " START 7",
                "SELECT pg_catalog.nextval(" + l(schema + q(name + "s")) + ")",
                "CREATE TABLE " + table + " (" + q(name) + " int CONSTRAINT " + q(name + "pk") + " PRIMARY KEY, "
                        + q(name + "e") + " " + schema + q(name) + ", " + q(name + "d") + " " + schema + q(name + "d")
                        + ", v text DEFAULT " + l(name) + ")",
                "CREATE TABLE " + keyless + " (" + q(name) + " text)",
                "CREATE INDEX " + q(name + "i") + " ON " + table + " (v) WHERE v <> " + l(name),
                "CREATE VIEW " + schema + q(name + "v") + " AS SELECT * FROM " + table + " WHERE v <> " + l(name),
                "CREATE FUNCTION " + schema + q(name + "f") + "() RETURNS text LANGUAGE sql AS "
                        + l("SELECT " + l(name) + "::text"),
                "ALTER TABLE " + table + " ADD CONSTRAINT " + q(name + "fk") + " FOREIGN KEY (" + q(name)
                        + ") REFERENCES " + table,
                "CREATE POLICY " + q(name) + " ON " + keyless + " USING (" + q(name) + " <> " + l(name) + ")",
                "CREATE RULE " + q(name) + " AS ON INSERT TO " + schema + q(name + "v") + " DO INSTEAD NOTHING",
                "CREATE PUBLICATION " + q(name) + " FOR TABLE " + table,
                "COMMENT ON TABLE " + table + " IS " + l(name),
                "COMMENT ON COLUMN " + table + "." + q(name) + " IS " + l(name),
                "COMMENT ON SCHEMA " + q(name) + " IS " + l(name),
                "GRANT SELECT ON " + table + " TO " + q("r" + name),
                "ALTER TABLE " + keyless + " OWNER TO " + q("r" + name)));
        int id = 1;
        for (String value : values(name)) {
            sql.add("INSERT INTO " + table + " VALUES (" + id++ + ", " + l(name) + ", " + l("d" + value) + ", "
                    + l(value) + ")");
            sql.add("INSERT INTO " + keyless + " VALUES (" + l(value) + "), (" + l(value) + ")");
        }
        return sql.toArray(String[]::new);
    }

    private static String[] changes(String name) {
        String table = q(name) + "." + q(name + "t");
        String keyless = q(name) + "." + q(name + "k");
        List<String> sql = new ArrayList<>();
        int id = 100;
        for (String value : values(name)) {
            sql.add("INSERT INTO " + table + " VALUES (" + id++ + ", " + l(name) + ", " + l("d" + value) + ", "
                    + l(value) + ")");
            sql.add("UPDATE " + keyless + " SET " + q(name) + " = " + l("changed " + value) + " WHERE " + q(name)
                    + " = " + l(value));
            sql.add("INSERT INTO " + keyless + " VALUES (" + l(value) + ")");
        }
        sql.add("UPDATE " + table + " SET " + q(name) + " = " + q(name) + " + 1000, v = v || " + l(name) + " WHERE "
                + q(name) + " % 2 = 0");
        sql.add("DELETE FROM " + table + " WHERE " + q(name) + " % 5 = 0");
        sql.add("DELETE FROM " + keyless + " WHERE " + q(name) + " = " + l("changed \\N"));
        return sql.toArray(String[]::new);
    }

    private static List<String> values(String name) {
        List<String> values = new ArrayList<>(VALUES);
        values.add(name);
        return values;
    }

    private static String q(String name) {
        return Identifiers.quote(name);
    }

    private static String l(String value) {
        return Identifiers.literal(value);
    }
}
