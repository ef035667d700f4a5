package io.wherry.coordinator.dump;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.carry.MaterializedViews;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.dump.SqlScript.Part;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class DeferredDdlTest {
    private static final String POST_DATA = """
            --
            -- PostgreSQL database dump
            --

            \\restrict abc
            SET statement_timeout = 0;
            SET transaction_timeout = 0;
            SET client_encoding = 'UTF8';
            SELECT pg_catalog.set_config('search_path', '', false);
            SET default_tablespace = '';

            --
            -- Name: watched; Type: EVENT TRIGGER; Schema: -; Owner: postgres
            --

            CREATE EVENT TRIGGER watched ON ddl_command_end
               EXECUTE FUNCTION public.watch();

            --
            -- Name: Order Items Order Items_pkey; Type: CONSTRAINT; Schema: Sales "x"; Owner: postgres
            --

            ALTER TABLE ONLY "Sales ""x""."Order Items"
                ADD CONSTRAINT "Order Items_pkey" PRIMARY KEY (a);

            SET default_tablespace = fast;

            --
            -- Name: lower_name; Type: INDEX; Schema: public; Owner: postgres; Tablespace: fast
            --

            CREATE UNIQUE INDEX lower_name ON public.customer USING btree (lower(name));
            ALTER TABLE public.customer CLUSTER ON lower_name;

            SET default_tablespace = '';

            --
            -- Name: parent_pkey; Type: INDEX ATTACH; Schema: public; Owner: postgres
            --

            ALTER INDEX public.parent_pkey ATTACH PARTITION public.child_pkey;

            --
            -- Name: INDEX lower_name; Type: COMMENT; Schema: public; Owner: postgres
            --

            COMMENT ON INDEX public.lower_name IS 'a;
            --
            -- Name: fake; Type: INDEX; Schema: public; Owner: x
            --
            it''s';

            --
            -- Name: wherry_shop customer; Type: PUBLICATION TABLE; Schema: public; Owner: postgres
            --

            ALTER PUBLICATION wherry_shop ADD TABLE ONLY public.customer;

            --
            -- Name: orders of_customer; Type: FK CONSTRAINT; Schema: public; Owner: postgres
            --

            ALTER TABLE ONLY public.orders
                ADD CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES public.customer(id) ON DELETE CASCADE;

            --
            -- Name: payment by_customer; Type: FK CONSTRAINT; Schema: public; Owner: postgres
            --

            ALTER TABLE public.payment
                ADD CONSTRAINT by_customer FOREIGN KEY (customer) REFERENCES public.customer(id);

            \\unrestrict abc
            """.replace("\"Sales \"\"x\"\".\"", "\"Sales \"\"x\"\"\".\"");

    private static final Set<String> KNOWN =
            Set.of("statement_timeout", "client_encoding", "default_tablespace", "search_path");

    @Test
    void entriesAreWholeWithTheSettingsInForce() {
        List<Entry> entries = DumpScript.entries(POST_DATA, KNOWN);
        assertThat(entries).hasSize(8);
        assertThat(entries.get(2).sql())
                .isEqualTo("SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n"
                        + "SET default_tablespace = fast;\n"
                        + "CREATE UNIQUE INDEX lower_name ON public.customer USING btree (lower(name));\n"
                        + "ALTER TABLE public.customer CLUSTER ON lower_name;");
        assertThat(entries.get(3).settings()).contains("SET default_tablespace = ''");
        assertThat(entries.get(4).statements()).hasSize(1);
    }

    @Test
    void statementsRunInTheStageTheyBelongTo() {
        Set<TableId> loaded = Set.of(
                new TableId("Sales \"x\"", "Order Items"),
                new TableId("public", "customer"),
                new TableId("public", "orders"));
        List<Ddl> plan = DeferredDdl.plan(
                DumpScript.entries(POST_DATA, KNOWN),
                Set.of("wherry_shop"),
                loaded,
                List.of(new Entry(
                        MaterializedViews.KIND, "public.m", List.of(), List.of("REFRESH MATERIALIZED VIEW public.m"))),
                new PartitionedKeys.Way(false, Map.of()));
        assertThat(plan.stream().map(d -> d.id() + " " + d.stage() + " " + d.kind()))
                .containsExactly(
                        "1 TABLE CONSTRAINT",
                        "2 TABLE INDEX",
                        "3 PARENT INDEX ATTACH",
                        "4 SWITCH COMMENT",
                        "5 SWITCH FK CONSTRAINT",
                        "6 AFTER VALIDATION",
                        "7 SWITCH FK CONSTRAINT",
                        "8 SWITCH MATERIALIZED VIEW DATA",
                        "9 SWITCH EVENT TRIGGER");
        assertThat(plan.get(0).table()).contains(new TableId("Sales \"x\"", "Order Items"));
        assertThat(plan.get(1).table()).contains(new TableId("public", "customer"));
        assertThat(plan.get(4).sql()).endsWith("ON DELETE CASCADE NOT VALID;");
        assertThat(plan.get(5).sql())
                .endsWith("ALTER TABLE \"public\".\"orders\" VALIDATE CONSTRAINT \"of_customer\";");
        assertThat(plan.get(6).sql()).doesNotContain("NOT VALID");
        assertThat(plan).filteredOn(d -> d.stage() == Stage.TABLE).hasSize(2);
    }

    /** Before 18 a key could not be NOT VALID: all rows would be read within the window, and one violating row would abort the cutover. */
    @Test
    void aPartitionedTablesForeignKeyIsMadeOfItsPartitionsKeysOnceTheyAreValid() {
        TableId payment = new TableId("public", "payment");
        List<Entry> entries = List.of(
                new Entry(
                        "FK CONSTRAINT",
                        "payment by_customer",
                        List.of(),
                        List.of(
                                "ALTER TABLE public.payment\n    ADD CONSTRAINT by_customer FOREIGN KEY (c) REFERENCES public.c(id)")),
                new Entry(
                        "COMMENT",
                        "CONSTRAINT by_customer ON payment",
                        List.of(),
                        List.of("COMMENT ON CONSTRAINT by_customer ON public.payment IS 'x'")));
        PartitionedKeys.Leaf leaf = new PartitionedKeys.Leaf(
                new TableId("public", "Payment 1"), "by_customer_1", "FOREIGN KEY (c) REFERENCES public.c(id)");
        Map<PartitionedKeys.Key, List<PartitionedKeys.Leaf>> leaves =
                Map.of(new PartitionedKeys.Key(payment, "by_customer"), List.of(leaf));
        assertThat(DeferredDdl.plan(entries, Set.of("p"), Set.of(), List.of(), new PartitionedKeys.Way(false, leaves)))
                .extracting(d -> d.stage() + " " + d.name() + ": " + d.sql())
                .containsExactly(
                        "SWITCH payment by_customer: ALTER TABLE ONLY \"public\".\"Payment 1\" ADD CONSTRAINT"
                                + " \"by_customer_1\" FOREIGN KEY (c) REFERENCES public.c(id) NOT VALID;",
                        "AFTER payment by_customer: ALTER TABLE \"public\".\"Payment 1\" VALIDATE CONSTRAINT \"by_customer_1\";",
                        "AFTER payment by_customer: " + entries.get(0).sql(),
                        "AFTER payment by_customer: " + entries.get(1).sql());
        assertThat(DeferredDdl.plan(entries, Set.of("p"), Set.of(), List.of(), new PartitionedKeys.Way(true, leaves)))
                .extracting(Ddl::stage, Ddl::kind)
                .containsExactly(
                        tuple(Stage.SWITCH, "FK CONSTRAINT"),
                        tuple(Stage.AFTER, "VALIDATION"),
                        tuple(Stage.SWITCH, "COMMENT"));
    }

    @Test
    void statementsAreSplitAsPsqlDoes() {
        assertThat(SqlScript.parts(
                        "SELECT 'a;''b'; SELECT E'\\';'; SELECT $x$;$y$;$x$ ;\nSELECT \"a;\"; /* ; /* ; */ */ SELECT 1;"
                                + "CREATE RULE r AS ON DELETE TO t DO ALSO (SELECT 1; SELECT 2);"
                                + "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;"
                                + "-- comment ;\nSELECT a$1$b, $1; SELECT -- inner ;\n 2"))
                .extracting(Part::sql)
                .containsExactly(
                        "SELECT 'a;''b'",
                        "SELECT E'\\';'",
                        "SELECT $x$;$y$;$x$",
                        "SELECT \"a;\"",
                        "/* ; /* ; */ */ SELECT 1",
                        "CREATE RULE r AS ON DELETE TO t DO ALSO (SELECT 1; SELECT 2)",
                        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END",
                        "-- comment ;",
                        "SELECT a$1$b, $1",
                        "SELECT -- inner ;\n 2");
    }
}
