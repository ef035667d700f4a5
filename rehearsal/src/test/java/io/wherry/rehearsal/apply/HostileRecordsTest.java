package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.id;
import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.EarlierRows;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.contract.record.LoadPlan;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import io.wherry.sink.SinkApplier;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** An attacker can write to the topics and the registry, and the target's role is a superuser. */
class HostileRecordsTest {
    private static final String[] TABLES = {"typed", "collated", "defaulted", "loaded", "retyped", "plain"};
    private static final TypeName INT = new TypeName("pg_catalog", "int4");

    /** The injected SQL: if it runs, it leaves a table behind. */
    private static String attack(String name) {
        return "; CREATE TABLE public.owned_" + name + " (id int); --";
    }

    @Test
    void definitionsInTopicsAndTheRegistryAreNotRunAsSqlByTheTargetsRole() throws Exception {
        try (SinkFixture sink = new SinkFixture(SharedServer.target(15), "hostile_records", 1)) {
            sink.prepareTarget(java.util.Arrays.stream(TABLES)
                    .map(table -> "CREATE TABLE public." + table + " (id int PRIMARY KEY)")
                    .toArray(String[]::new));
            SinkApplier applier = sink.startSink();
            sink.plan(1, 1, TABLES);
            for (String table : TABLES) {
                if (!table.equals("loaded")) {
                    sink.chunk(0, table, 1, 0, "1");
                }
            }
            sink.ready("typed", "collated", "defaulted", "retyped", "plain");
            describe(sink, "typed", column("x", "integer" + attack("type"), null, null));
            describe(sink, "collated", column("x", "text", "pg_catalog.\"C\"" + attack("collation"), null));
            describe(sink, "defaulted", column("x", "integer", null, "1" + attack("default")));
            describe(sink, "plain", column("x", "numeric(10,2)", null, "(5)::numeric"));
            sink.describe(
                    "retyped", shape("retyped", column("id", "integer" + attack("remedy"), null, null)), List.of());
            sink.commit(
                    101,
                    insert("typed", 2, 7),
                    insert("collated", 2, 7),
                    insert("defaulted", 2, 7),
                    insert("retyped", 2),
                    insert("plain", 2, 7));
            sink.awaitDrained("plain", "defaulted");
            assertThat(sink.query("SELECT id, x FROM public.plain ORDER BY id")).isEqualTo("1|0.00\n2|7.00");
            assertThat(sink.query("SELECT id, x FROM public.defaulted ORDER BY id"))
                    .isEqualTo("1|0\n2|7");
            awaitStopped(sink, "typed", "collated", "retyped");
            assertThat(sink.query("SELECT split_part(stopped_because, 'On the target: ', 2) FROM wherry.relation"
                            + " WHERE table_name = 'retyped'"))
                    .as("a remedy that an operator runs")
                    .doesNotContain("owned");
            assertThat(
                            sink.query(
                                    "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'public.plain'::regclass"))
                    .isEqualTo("(5)::numeric");

            sink.describe(
                    "loaded",
                    shape("loaded", column("id", "integer", null, null), column("x", "integer", null, null)),
                    List.of("integer", "integer" + attack("load")));
            sink.chunk(0, "loaded", 1, 0, "1\t7");
            awaitStopped(sink, "loaded");
            assertThat(sink.query("SELECT relname FROM pg_class WHERE relname LIKE 'owned%'"))
                    .isEmpty();

            TableId roles = new TableId("pg_catalog", "pg_authid");
            sink.plan(
                    2, List.of(new LoadPlan.Table(roles, sink.migration.topics().changes(id("plain")), 1, 1, -1, 0)));
            assertThatThrownBy(() -> applier.done().toCompletableFuture().get(1, TimeUnit.MINUTES))
                    .hasMessageContaining("pg_catalog.pg_authid: the table is the server's or Wherry's own");
            assertThat(sink.query("SELECT count(*) FROM wherry.relation WHERE schema_name = 'pg_catalog'"))
                    .isEqualTo("0");
        }
    }

    private static void awaitStopped(SinkFixture sink, String... tables) {
        for (String table : tables) {
            Awaitility.await(table + " is stopped")
                    .atMost(Duration.ofSeconds(60))
                    .until(() -> sink.query(
                                    "SELECT stopped_because IS NOT NULL FROM wherry.relation WHERE table_name = '"
                                            + table + "'")
                            .equals("t"));
        }
    }

    private static void describe(SinkFixture sink, String table, Column added) {
        sink.describe(table, shape(table, column("id", "integer", null, null), added), List.of());
    }

    private static TableShape shape(String table, Column... columns) {
        return new TableShape(id(table), List.of(columns), List.of("id"));
    }

    private static Column column(String name, String type, String collation, String standard) {
        return new Column(name, INT, new ColumnDefinition(type, collation, false, standard, EarlierRows.VALUE, "0"));
    }
}
