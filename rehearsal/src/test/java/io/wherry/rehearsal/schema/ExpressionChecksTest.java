package io.wherry.rehearsal.schema;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Finding.Severity;
import io.wherry.coordinator.preflight.ExpressionChecks;
import io.wherry.coordinator.preflight.TargetPreflight;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.verify.ForeignKeyChecks;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The preflight's findings on functions, and a slow server that is no reason to refuse. */
final class ExpressionChecksTest {
    private static TwoServers servers;

    @BeforeAll
    static void start() throws Exception {
        servers = new TwoServers(15, 15).seeded();
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    /** Seen to fail before: check reported nothing, and the tables stopped while their rows were loaded. */
    @Test
    void functionsThatNeedASearchPathAreNamedWithTheirRemedy() throws Exception {
        servers.run(servers.source, "shop", """
                CREATE SCHEMA yard; SET search_path = yard;
                CREATE TABLE colour (code text PRIMARY KEY); INSERT INTO colour VALUES ('red');
                CREATE FUNCTION known(c text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM colour WHERE code = c)';
                CREATE FUNCTION prefix() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''-''::text';
                CREATE FUNCTION tag(b int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN prefix() || b; END';
                CREATE FUNCTION "Odd Name"(t text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN length(prefix() || t) > 0; END';
                CREATE DOMAIN shade AS text CHECK (yard."Odd Name"(VALUE));
                CREATE TABLE boat (id int PRIMARY KEY, paint text CHECK (known(paint)), tone shade,
                                   label text GENERATED ALWAYS AS (tag(id)) STORED);
                CREATE INDEX tags ON boat (tag(id), (id + 1)) WHERE id > 0;
                CREATE TABLE part (k int, paint text CHECK (known(paint))) PARTITION BY LIST (k);
                CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
                CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
                INSERT INTO boat VALUES (1, 'red', 'dark')""");
        List<Finding> findings = ExpressionChecks.check(Flow.first(servers.migration()));
        assertThat(findings)
                .allMatch(finding -> finding.severity() == Severity.ERROR)
                .extracting(Finding::object)
                .containsExactly(
                        "yard.boat check constraint boat_paint_check",
                        "yard.boat column tone of domain shade",
                        "yard.boat generated column label",
                        "yard.boat index tags",
                        "yard.part_1 check constraint part_paint_check");
        assertThat(findings.get(0).explained())
                .contains("calls yard.known(c text)")
                .contains("relation \"colour\" does not exist")
                .contains("On the source: ALTER FUNCTION yard.known(c text) SET search_path = yard");
        assertThat(TargetPreflight.check(Flow.first(servers.migration()))).containsAll(findings);
        for (Finding finding : findings) {
            servers.run(servers.source, "shop", finding.remedy().replaceFirst("^On the source: ", ""));
        }
        assertThat(ExpressionChecks.check(Flow.first(servers.migration()))).isEmpty();
    }

    @Test
    void whatIsSlowOrBrokenOrHasNothingToLookUpIsNoReasonToRefuse() throws Exception {
        servers.run(servers.source, "shop", """
                CREATE SCHEMA odd; SET search_path = odd;
                CREATE FUNCTION slow(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN true; END';
                CREATE FUNCTION raises(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN 1 / (i - i) > 0; END';
                CREATE FUNCTION writes(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN CREATE TABLE odd.made (); RETURN true; END';
                CREATE FUNCTION broken(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN missing(i); END';
                CREATE FUNCTION plain(i int) RETURNS boolean LANGUAGE sql AS 'SELECT i > 0';
                CREATE TABLE t (i int, CHECK (plain(i)));
                INSERT INTO t VALUES (1);
                ALTER TABLE t ADD CHECK (slow(i)) NOT VALID, ADD CHECK (raises(i)) NOT VALID, ADD CHECK (writes(i)) NOT VALID,
                    ADD CHECK (broken(i)) NOT VALID;""");
        assertThat(ExpressionChecks.check(Flow.first(servers.migration())))
                .noneMatch(finding -> finding.object().startsWith("odd."));
    }

    /** Seen to fail before: a role of the source created a table with the rights of Wherry's role. */
    @Test
    void theSearchPathOfARoleIsNeitherRunNorOfferedAsSql() throws Exception {
        servers.run(servers.source, "shop", """
                CREATE SCHEMA sly; CREATE TABLE sly.word (code text);
                CREATE FUNCTION sly.known(c text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT NOT EXISTS (SELECT FROM word WHERE code = c)';
                SET search_path = sly; CREATE TABLE sly.t (c text CHECK (sly.known(c))); RESET search_path;
                CREATE ROLE sly; SELECT set_config('search_path', 'sly;COMMIT;CREATE/**/TABLE/**/public.pwned()', false);
                ALTER ROLE sly SET search_path FROM CURRENT""");
        assertThat(ExpressionChecks.check(Flow.first(servers.migration())))
                .filteredOn(finding -> finding.object().startsWith("sly."))
                .extracting(Finding::remedy)
                .containsExactly("On the source: ALTER FUNCTION sly.known(c text) SET search_path = sly");
        try (Connection source = servers.openSource()) {
            assertThat(Queries.number(source, "SELECT count(*) FROM pg_class WHERE relname = 'pwned'"))
                    .isZero();
        }
        servers.run(servers.source, "shop", "DROP SCHEMA sly CASCADE; DROP ROLE sly");
    }

    /**
     * Seen to fail before: the time limit for the rows of one key also applied to the catalog, and ended the preflight with an
     * error.
     */
    @Test
    void aSourceWhoseCatalogAnswersSlowlyIsNoReasonToRefuse() throws Exception {
        int limit = 200;
        String waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                + " AND clock_timestamp() - query_start > interval '1 second'";
        try (Connection other = servers.openSource();
                Statement statement = other.createStatement()) {
            other.setAutoCommit(false);
            statement.execute("LOCK TABLE pg_catalog.pg_constraint IN ACCESS EXCLUSIVE MODE");
            CompletableFuture<List<Finding>> findings = CompletableFuture.supplyAsync(() -> {
                try {
                    return ForeignKeyChecks.check(Flow.first(servers.migration()), limit);
                } catch (SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            Awaitility.await("the preflight waits for the catalog longer than for rows")
                    .atMost(Duration.ofMinutes(1))
                    .until(() -> Queries.number(other, waits) == 1);
            other.rollback();
            assertThat(findings.get()).isEmpty();
        }
    }
}
