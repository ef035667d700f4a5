package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Materialized views that are refreshed once the applications are on the target, because the window has no time for that. */
@EveryThirdDay(2)
final class MaterializedViewsTest {
    private static final String REFRESHED_BEHIND_THE_SWITCH = """
            SELECT bool_and(v.xid > (SELECT max(xmin::text::bigint) FROM wherry.journal WHERE state = 'SWITCHING'))
              FROM (SELECT xmin::text::bigint AS xid FROM public.totals UNION ALL SELECT xmin::text::bigint FROM public.grand) v
            """;

    @Test
    void viewsThatWaitAreRefreshedInTheirOrderAfterTheSwitchAndOneThatIsRefusedIsNamed() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(ServerPair.shared(), "views-after")) {
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.sold (id int PRIMARY KEY, sku text, n int)",
                    "INSERT INTO public.sold SELECT i, 's' || i % 3, i FROM generate_series(1, 30) i",
                    "CREATE MATERIALIZED VIEW public.totals AS SELECT sku, sum(n) AS n FROM public.sold GROUP BY sku",
                    "CREATE MATERIALIZED VIEW public.grand AS SELECT sum(n) AS n FROM public.totals",
                    "CREATE MATERIALIZED VIEW public.inverse AS SELECT 1 / (n - 31) AS n FROM public.sold",
                    "CREATE UNIQUE INDEX ON public.totals (sku)",
                    "CREATE MATERIALIZED VIEW public.grouped AS SELECT id, sku, count(*) AS c FROM public.sold GROUP BY id",
                    "CREATE UNIQUE INDEX ON public.grouped (id)");
            migration.file("");
            migration.configure("cutover: {", "cutover: {materialized-views: after, ");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            // As somebody who tries queries on the target does. Its rows must not be read after the switch.
            migration.execute(target, "REFRESH MATERIALIZED VIEW public.totals");
            migration.execute(source, "INSERT INTO public.sold VALUES (31, 's1', 31)");
            migration.awaitState(State.IN_SYNC);
            List<String> plan = migration
                    .coordinator()
                    .cutover(true)
                    .toCompletableFuture()
                    .join()
                    .plan();
            assertThat(plan)
                    .contains("target, once completed: MATERIALIZED VIEW DATA public.totals")
                    .noneMatch(line -> line.startsWith("OBSTACLE"));

            CutoverResult result = migration.cutOver();
            assertThat(result.outcome()).as(result.reason()).isEqualTo(Outcome.COMPLETED);
            migration.awaitForeignKeys();

            assertThat(migration.text(target, "SELECT string_agg(sku || n, ' ' ORDER BY sku) FROM public.totals"))
                    .isEqualTo(migration.text(
                            source,
                            "SELECT string_agg(sku || n, ' ' ORDER BY sku) FROM"
                                    + " (SELECT sku, sum(n) AS n FROM public.sold GROUP BY sku) t"));
            assertThat(migration.numberFromTarget("SELECT n FROM public.grand")).isEqualTo(31 * 32 / 2);
            assertThat(migration.numberFromTarget("SELECT count(*) FROM public.grouped"))
                    .isEqualTo(31);
            assertThat(migration.text(target, REFRESHED_BEHIND_THE_SWITCH)).isIn("t", "true");
            assertThat(migration.coordinator().status().nextSteps())
                    .anyMatch(line -> line.contains("materialized view public.inverse: has no rows yet")
                            && line.contains("division by zero")
                            && line.contains("on the target: REFRESH MATERIALIZED VIEW public.inverse"));
            migration.execute(
                    target, "UPDATE public.sold SET n = 32 WHERE id = 31", "REFRESH MATERIALIZED VIEW public.inverse");
        }
    }
}
