package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.verify.DataCompare;
import io.wherry.rehearsal.fixture.TwoServers;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DataCompareTest {
    private static final String TABLES = "CREATE EXTENSION cube; CREATE TYPE public.span AS RANGE (subtype = float8);"
            + "CREATE TYPE public.measured AS (f float8, small float4[], span public.span, note text);"
            + "CREATE TABLE public.hay (id integer PRIMARY KEY, m public.measured, s public.span[], k cube, ms public.measured[], v text, c char(4), f double precision, d double precision[],"
            + " n numeric, b bytea, j jsonb, big text);"
            + "CREATE TABLE public.keyless (v text); CREATE TABLE public.pure (id integer PRIMARY KEY);"
            + "INSERT INTO public.hay SELECT i, ROW(i / 3.0, ARRAY[0.1, NULL]::real[], '[0.1,0.7)', 'a')::public.measured, ARRAY['[0.1,2)', 'empty', NULL]::public.span[],"
            + " '(0.1,0.2),(3,4)', ARRAY['(0.1,,,\"\")', NULL, '(,,,)']::public.measured[], 'v' || i, 'ab', i / 3.0, ARRAY[0.1, i / 7.0], i, '\\x00', '{\"a\": [1]}',"
            + " repeat('x', 10) FROM generate_series(1, 3000) AS i;"
            + "UPDATE public.hay SET m = ROW(0.1, '{}', 'empty', NULL), v = '', f = 0, d = '{0}', n = 7, big = repeat('x', 1500000) WHERE id BETWEEN 7 AND 17;"
            + "INSERT INTO public.keyless VALUES ('a'), ('a'), (NULL), (''); INSERT INTO public.pure VALUES (1)";

    private static final int ALIKE = 10;
    private static final List<String> CHANGES = List.of(
            "m.f = 0.10000000000000002",
            "m.note = ''",
            "m = NULL",
            "s[1] = '[0.10000000000000002,2)'",
            "s[1] = '[0.1,2]'",
            "s[3] = 'empty'",
            "s = '[0:2]={\"[0.1,2)\",empty,NULL}'",
            "k = '(0.1,0.2),(3,4.000000000000001)'",
            "k = '(0.1,0.2)'",
            "ms[1].f = 0.10000000000000002",
            "ms[2] = '(,,,)'",
            "ms[3] = NULL",
            "v = NULL",
            "f = '-0'",
            "d = '{-0}'",
            "n = 7.0",
            "b = '\\x0000'",
            "j = '{\"a\": [1.0]}'",
            "big = repeat('x', 1499999) || 'y'",
            "c = 'abc'",
            "v = '\"\"'");

    @Test
    void everyAlterationOfOneRowIsFoundAndNamed() throws Exception {
        everyAlterationIsFound(10, 18);
    }

    @ParameterizedTest
    @Tag("slow")
    @CsvSource({"11, 17", "15, 15"})
    void everyAlterationOfOneRowIsFoundAndNamedByOtherServers(int from, int to) throws Exception {
        everyAlterationIsFound(from, to);
    }

    private static void everyAlterationIsFound(int from, int to) throws Exception {
        try (TwoServers servers = new TwoServers(from, to)) {
            for (var server : List.of(servers.source, servers.target)) {
                servers.run(server, "postgres", "CREATE DATABASE shop");
                servers.run(server, "shop", TABLES);
            }
            DataCompare compare = new DataCompare(Flow.first(servers.migration()));
            assertThat(compare.run().differences()).isEmpty();
            // From 7 on, ten rows are alike, which is the number of named rows; each is altered in another way.
            for (int first = 0; first < CHANGES.size(); first += ALIKE) {
                List<String> changes = CHANGES.subList(first, Math.min(CHANGES.size(), first + ALIKE));
                List<String> keys = new ArrayList<>();
                for (int i = 0; i < changes.size(); i++) {
                    int id = 7 + i;
                    keys.add("(" + id + ")");
                    servers.run(
                            servers.target, "shop", "UPDATE public.hay SET " + changes.get(i) + " WHERE id = " + id);
                }
                DataComparison found = compare.run();
                assertThat(found.equal()).isFalse();
                TableResult hay = table(found, "hay");
                assertThat(hay.keys()).as("each of %s", changes).containsExactlyInAnyOrderElementsOf(keys);
                assertThat(hay.differing()).as("each of %s", changes).isEqualTo(changes.size());
                assertThat(table(found, "pure").equal()).isTrue();
                servers.run(
                        servers.target,
                        "shop",
                        "DELETE FROM public.hay WHERE id BETWEEN 7 AND 16; INSERT INTO public.hay"
                                + " SELECT i, m, s, k, ms, v, c, f, d, n, b, j, big FROM public.hay, generate_series(7, 16) i"
                                + " WHERE id = 17");
                assertThat(compare.run().differences()).as("after %s", changes).isEmpty();
            }
            servers.run(
                    servers.target,
                    "shop",
                    "DELETE FROM public.hay WHERE id = 3000; INSERT INTO public.hay (id) VALUES (3001)");
            servers.run(servers.target, "shop", "UPDATE public.keyless SET v = 'a' WHERE v = ''");
            DataComparison found = compare.run();
            assertThat(table(found, "hay").keys()).containsExactlyInAnyOrder("(3000)", "(3001)");
            assertThat(table(found, "keyless").differing()).isEqualTo(2);
            servers.run(servers.target, "shop", "ALTER TABLE public.pure ADD COLUMN extra integer");
            assertThat(table(compare.run(), "pure").problem()).contains("extra");
        }
    }

    /** The source stores the blank only where the column's type keeps blanks. */
    @ParameterizedTest
    @CsvSource({"15, 15"})
    void aPaddingBlankIsFound(int from, int to) throws Exception {
        try (TwoServers servers = new TwoServers(from, to)) {
            servers.run(servers.source, "postgres", "CREATE DATABASE shop");
            servers.run(servers.target, "postgres", "CREATE DATABASE shop");
            servers.run(
                    servers.source,
                    "shop",
                    "CREATE TABLE public.t (id int PRIMARY KEY, c char(4)); INSERT INTO public.t VALUES (1, 'ab')");
            servers.run(
                    servers.target,
                    "shop",
                    "CREATE TABLE public.t (id int PRIMARY KEY, c char(5)); INSERT INTO public.t VALUES (1, 'ab')");
            assertThat(table(new DataCompare(Flow.first(servers.migration())).run(), "t")
                            .keys())
                    .containsExactly("(1)");
        }
    }

    private static TableResult table(DataComparison comparison, String name) {
        return comparison.tables().stream()
                .filter(t -> t.table().table().equals(name))
                .findFirst()
                .orElseThrow();
    }
}
