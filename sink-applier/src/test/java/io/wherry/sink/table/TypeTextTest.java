package io.wherry.sink.table;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.postgres.TableShape.TypeName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TypeTextTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "integer | \"pg_catalog\".\"int4\"",
                "numeric(10,-2)[] | \"pg_catalog\".\"numeric\"(10, -2)[]",
                "character varying(20) | \"pg_catalog\".\"varchar\"(20)",
                "character(5) | \"pg_catalog\".\"bpchar\"(5)",
                "bpchar | \"pg_catalog\".\"bpchar\"",
                "\"char\" | \"pg_catalog\".\"char\"",
                "bit varying(3) | \"pg_catalog\".\"varbit\"(3)",
                "\"bit\" | \"pg_catalog\".\"bit\"",
                "double precision[] | \"pg_catalog\".\"float8\"[]",
                "timestamp(3) with time zone | \"pg_catalog\".\"timestamptz\"(3)",
                "timestamp without time zone[] | \"pg_catalog\".\"timestamp\"[]",
                "time without time zone | \"pg_catalog\".\"time\"",
                "interval | interval",
                "interval day to second(3) | interval day to second(3)",
                "interval(0)[] | interval(0)[]",
                "public.geometry(Point,4326) | \"public\".\"geometry\"('Point', 4326)",
                "\"My \"\"Schema\"\"\".\"a; type\"[] | \"My \"\"Schema\"\"\".\"a; type\"[]",
                "text COLLATE pg_catalog.\"C\" | \"pg_catalog\".\"text\" COLLATE \"pg_catalog\".\"C\"",
            })
    void whatAServerWritesIsWrittenAnew(String text, String sql) {
        assertThat(TypeText.parse(text).map(TypeText::sql)).contains(sql);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "integer; DROP TABLE x",
                "integer DEFAULT pg_read_file('/etc/passwd')",
                "integer) , ADD COLUMN y int",
                "numeric(10,2); SELECT 1 --)",
                "numeric((SELECT 1))",
                "numeric(10,2",
                "public.\"x\"; DROP TABLE x; --\"",
                "\"x",
                "interval year to text",
                "interval DEFAULT now",
                "public.a.b",
                "a b",
                "text COLLATE \"C\"; DROP TABLE x",
                "text COLLATE pg_catalog.C; --",
                "int/**/eger",
                "integer\n; DROP TABLE x",
                "'x'",
                "",
            })
    void textThatIsNoTypeIsRunAsSql(String text) {
        assertThat(TypeText.parse(text)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "5 | 5",
                "-1.10 | -1.10",
                "(5)::numeric | (5)::\"pg_catalog\".\"numeric\"",
                "'it''s'::text | 'it''s'::\"pg_catalog\".\"text\"",
                "E'a\\\\b'::text | E'a\\\\b'::\"pg_catalog\".\"text\"",
                "('x'::text)::character varying(20) | ('x'::\"pg_catalog\".\"text\")::\"pg_catalog\".\"varchar\"(20)",
                "'a::b'::public.mood | 'a::b'::\"public\".\"mood\"",
                "now() | \"pg_catalog\".now()",
                "(CURRENT_TIMESTAMP)::date | (CURRENT_TIMESTAMP)::\"pg_catalog\".\"date\"",
                "'{}'::text[] | '{}'::\"pg_catalog\".\"text\"[]",
                "B'101'::\"bit\" | B'101'::\"pg_catalog\".\"bit\"",
                "true | true",
                "NULL::character varying | NULL::\"pg_catalog\".\"varchar\"",
            })
    void constantDefaultsAreWrittenAnew(String text, String sql) {
        assertThat(DefaultText.parse(text, new TypeName("public", "mood"))).contains(sql);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1; DROP TABLE x",
                "pg_read_file('/etc/passwd')",
                "'x' || (SELECT passwd FROM pg_shadow LIMIT 1)",
                "'x'; DROP TABLE x; --'",
                "'x'::text; --'::text",
                "('x'); DROP TABLE x; ('y')",
                "E'\\'; DROP TABLE x; --'",
                "'x'::public.evil_domain",
                "nextval('s'::regclass)",
                "'",
                "E'",
                "::text",
                "()",
            })
    void anExpressionOfSomebodyElseIsRunAsADefault(String text) {
        assertThat(DefaultText.parse(text, new TypeName("public", "mood"))).isEmpty();
    }

    @Test
    void hostileNestingExhaustsTheStack() {
        assertThat(DefaultText.parse("(".repeat(100_000) + "1" + ")".repeat(100_000), new TypeName("a", "b")))
                .isEmpty();
        assertThat(DefaultText.parse("'" + "''".repeat(100_000) + "'", new TypeName("a", "b")))
                .isPresent();
        assertThat(TypeText.parse("\"" + "\"\"".repeat(100_000) + "\"")).isEmpty();
    }
}
