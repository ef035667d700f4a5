package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.verify.VerifyCommandLine.Said;
import java.nio.file.Files;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** {@code wherry verify} as an operator uses it. */
@EveryThirdDay(2)
final class VerifyCommandTest {
    private static final String ITEMS = "public.Order, Items";
    private static final String TABLE =
            "CREATE TABLE public.\"Order, Items\" (id int PRIMARY KEY, v text, at date NOT NULL DEFAULT '2020-02-02')";
    private static final String ROWS =
            "INSERT INTO public.\"Order, Items\" SELECT g, 'v' || g FROM generate_series(1, 3000) g";
    private static final String OTHERS = "CREATE TABLE public.others AS SELECT 1 AS id, 'one' AS v";
    private static final String ALTER = "UPDATE public.\"Order, Items\" SET v = 'altered' WHERE id = 7";
    private static final String REPAIR = "UPDATE public.\"Order, Items\" SET v = 'v7' WHERE id = 7";

    private MigrationFixture migration;

    private Said verify(String... arguments) {
        return new VerifyCommandLine(migration).verify(arguments);
    }

    private Said awaitStatus(Predicate<Said> wanted) {
        return await().atMost(MigrationFixture.PATIENCE).until(() -> verify("status", "--json"), wanted);
    }

    @Test
    void theOperatorSeesTheProofAsksForAnotherPassAndStopsIt() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("verify", 11, 17)) {
            migration = fixture;
            migration.file("verify: {load: 90}");
            migration.fillWithSample(2_000);
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(source, TABLE, ROWS);
            migration.startAll();
            Said early = verify("status");
            assertThat(early.code()).as(early.text()).isNotEqualTo(ExitCode.DONE);
            migration.awaitState(State.IN_SYNC);
            awaitStatus(said -> said.code() == ExitCode.DONE);
            assertThat(verify("status").text())
                    .matches("(?s)proof: (\\d+) of \\1 tables equal, .*")
                    .contains(ITEMS, "proven ");

            migration.execute(target, ALTER);
            Said found = verify("start", "--tables", ITEMS, "--wait");
            assertThat(found.text()).contains("difference: " + ITEMS + " (7) differs in v");
            assertThat(found.code()).isEqualTo(ExitCode.DATA_DIFFER);
            Said other = verify("start", "--tables", "public.customers,public.products", "--wait");
            assertThat(other.text()).contains("2 of 2 tables equal").doesNotContain(ITEMS);
            assertThat(other.code()).isEqualTo(ExitCode.DONE);
            Said status = verify("status", "--json");
            assertThat(status.code()).isEqualTo(ExitCode.DATA_DIFFER);
            assertThat(status.json().path("differences")).singleElement().satisfies(difference -> assertThat(difference)
                    .isEqualTo(Json.mapper()
                            .readTree(("{\"table\": \"%1$s\", \"key\": [\"7\"], \"kind\": \"DIFFERS\","
                                            + " \"columns\": [\"v\"], \"explained\": \"%1$s (7) differs in v\"}")
                                    .formatted(ITEMS))));
            Said unknown = verify("start", "--tables", "public.nothing");
            assertThat(unknown.text()).contains("table public.nothing: is not among the tables that are compared");
            assertThat(unknown.code()).isEqualTo(ExitCode.CONFIGURATION);

            directly();
            migration.execute(target, REPAIR);
            Said repaired = verify("start", "--wait", "--json");
            assertThat(repaired.json().path("differences")).isEmpty();
            assertThat(repaired.code()).as(repaired.text()).isEqualTo(ExitCode.DONE);

            Said stopped = verify("stop");
            assertThat(stopped.text()).contains("a cutover compares more rows in its window");
            assertThat(stopped.code()).isEqualTo(ExitCode.DONE);
            migration.execute(source, "UPDATE public.\"Order, Items\" SET v = v || '!' WHERE id <= 50");
            JsonNode waits = awaitStatus(said -> dirtyKeys(said) == 50).json();
            assertThat(waits.path("stopped").asBoolean()).isTrue();
            assertThat(verify("status").text()).contains("STOPPED, waits for the operator: wherry verify resume");
            await().atMost(MigrationFixture.PATIENCE).untilAsserted(() -> assertThat(
                            migration.coordinator().status().nextSteps())
                    .anyMatch(step -> step.startsWith("wherry verify resume")));
            assertThat(dirtyKeys(verify("status", "--json")))
                    .as("nothing is compared")
                    .isEqualTo(50);
            assertThat(verify("resume").code()).isEqualTo(ExitCode.DONE);
            awaitStatus(said -> said.code() == ExitCode.DONE && dirtyKeys(said) == 0);

            assertThat(verify("stop").code()).isEqualTo(ExitCode.DONE);
            assertThat(verify("start").text()).contains("a new pass of ");
            assertThat(verify("status", "--json").json().path("stopped").asBoolean())
                    .as("start ends a stop")
                    .isFalse();
        }
    }

    private static long dirtyKeys(Said said) {
        try {
            return said.json().path("dirtyKeys").asLong(-1);
        } catch (Exception e) {
            throw new IllegalStateException(said.text(), e);
        }
    }

    /** Row 7 is altered on the target. */
    private void directly() throws Exception {
        Said equal = verify("--tables", "public.customers");
        assertThat(equal.text()).contains("1 tables, ").doesNotContain(ITEMS);
        assertThat(equal.code()).as(equal.text()).isEqualTo(ExitCode.DONE);
        Said different = verify("--tables", "public.customers," + ITEMS, "--json");
        assertThat(different.json().path("tables")).hasSize(2);
        assertThat(different.text()).contains("(7)");
        assertThat(different.code()).isEqualTo(ExitCode.DATA_DIFFER);
        assertThat(verify("--full").code()).isEqualTo(ExitCode.DATA_DIFFER);
        Said unknown = verify("--tables", "public.nothing", "--tables", ITEMS);
        assertThat(unknown.text()).contains("table public.nothing: is not among the tables that are compared");
        assertThat(unknown.code()).isEqualTo(ExitCode.CONFIGURATION);
    }

    /** Nothing but two databases: no Kafka, no coordinator, and nothing of Wherry's on the target. */
    @Test
    void twoDatabasesThatNoMigrationConnectsAreCompared() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("strangers", 11, 17)) {
            migration = fixture;
            Files.writeString(migration.directory.resolve("m.yaml"), """
                    name: strangers
                    source: {url: "%s", user: wherry, password: rehearsal}
                    target: {url: "%s", user: wherry, password: rehearsal}
                    """.formatted(
                            migration.source().jdbcUrl(migration.database()),
                            migration.target().jdbcUrl(migration.database())));
            Endpoint target = migration.migration().target();
            for (Endpoint side : List.of(migration.migration().source(), target)) {
                migration.execute(side, TABLE, ROWS, OTHERS);
            }
            Said equal = verify();
            assertThat(equal.text()).contains("2 tables, 3,001 rows compared, 0 different");
            assertThat(equal.code()).isEqualTo(ExitCode.DONE);

            migration.execute(target, ALTER, "DROP TABLE public.others");
            Said different = verify();
            assertThat(different.text())
                    .contains(ITEMS + ": 1 rows differ", "keys (7)", "public.others: does not exist on the target");
            assertThat(different.code()).isEqualTo(ExitCode.DATA_DIFFER);
            assertThat(verify("--tables", ITEMS).code()).isEqualTo(ExitCode.DATA_DIFFER);
            migration.execute(target, REPAIR);
            assertThat(verify("--tables", ITEMS).code()).isEqualTo(ExitCode.DONE);
            assertThat(migration.number(target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'wherry'"))
                    .as("the comparison leaves nothing")
                    .isZero();
        }
    }
}
