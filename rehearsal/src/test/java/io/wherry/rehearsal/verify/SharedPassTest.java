package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Queries;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several sessions of each side compare parts of one table at the same time. */
final class SharedPassTest {
    private static final String TABLES = """
            CREATE TABLE public.hay (id int, part text COLLATE "C", v text, PRIMARY KEY (id, part));
            INSERT INTO public.hay SELECT i / 3, 'p' || i % 3, 'v' || i FROM generate_series(0, 59999) i;
            CREATE TABLE public.few (id int PRIMARY KEY);
            INSERT INTO public.few VALUES (1);
            CREATE TABLE public.none (id int PRIMARY KEY);
            """;

    private static ProvenPair pair(int sessions) throws Exception {
        return new ProvenPair(
                11,
                17,
                TABLES,
                new Tables(List.of("*"), List.of(), Map.of(), List.of(), List.of()),
                new DirtyKeys(1 << 24, 10_000),
                sessions);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 5})
    void whatDiffersInAnyPartIsNamed(int sessions) throws Exception {
        try (ProvenPair pair = pair(sessions)) {
            pair.settle();
            assertThat(pair.proven()).containsExactlyInAnyOrder("hay", "few", "none");
            assertThat(pair.proof.status().rowsCompared()).isEqualTo(60_001);

            pair.onTarget(
                    "UPDATE public.hay SET v = v || ' ' WHERE id IN (0, 3333, 9999, 13000, 19999) AND part = 'p1'");
            pair.onTarget("DELETE FROM public.hay WHERE id = 6666 AND part = 'p2'");
            pair.onTarget("INSERT INTO public.hay VALUES (-1, 'p0', ''), (30000, 'p0', '')");
            pair.proof.again(Set.of(ProvenPair.table("hay")));
            pair.settle();
            assertThat(pair.differences())
                    .containsExactlyInAnyOrder(
                            "public.hay (0,p1) differs in v",
                            "public.hay (3333,p1) differs in v",
                            "public.hay (9999,p1) differs in v",
                            "public.hay (13000,p1) differs in v",
                            "public.hay (19999,p1) differs in v",
                            "public.hay (6666,p2) is missing on the target",
                            "public.hay (-1,p0) is only on the target",
                            "public.hay (30000,p0) is only on the target");
        }
    }

    @Test
    void aServerThatTakesNoMoreSessionsIsReadByFewer() throws Exception {
        try (TwoServers servers = new TwoServers(15, 15)) {
            for (PostgresServer server : List.of(servers.source, servers.target)) {
                servers.run(server, "postgres", "CREATE DATABASE shop");
                servers.run(server, "postgres", "CREATE ROLE limited LOGIN PASSWORD 'limited'");
            }
            servers.run(servers.target, "postgres", "ALTER ROLE limited CONNECTION LIMIT 2");
            Migration as = servers.migration();
            Flow flow = Flow.first(new Migration(
                    as.name(),
                    new Endpoint(as.source().url(), "limited", "limited"),
                    new Endpoint(as.target().url(), "limited", "limited"),
                    as.schema(),
                    as.tables(),
                    as.kafka(),
                    as.registryUrl(),
                    as.load(),
                    as.apply(),
                    as.cutover(),
                    as.http()));
            try (BoundSessions sessions = new BoundSessions(flow);
                    BothSides sides = BothSides.open(flow, sessions, "test", 5)) {
                assertThat(sides.all()).hasSize(2);
                assertThat(sides.share(List.of(SharedPassTest::process, SharedPassTest::process)))
                        .doesNotHaveDuplicates()
                        .hasSize(2);
                assertThat(Queries.number(
                                sides.source(), "SELECT count(*) FROM pg_stat_activity WHERE usename = 'limited'"))
                        .as("no session of the source without one of the target")
                        .isEqualTo(2);
            }
        }
    }

    private static long process(BothSides sides) throws SQLException {
        return Queries.number(sides.source(), "SELECT pg_backend_pid()");
    }
}
