package io.wherry.rehearsal.apply;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.rehearsal.apply.ConsumerGroupTool.Line;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.Statement;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Kafka's own {@code kafka-consumer-groups} and {@code wherry lag --by-table} show the same lag, and it is true. Seen to fail when the
 * workers committed group offsets after batches: while tables were loaded, the tool showed no partition at all.
 */
@EveryThirdDay(2)
class LagToolsTest {
    private static final int TABLES = 9;
    private static final String CUSTOMERS = "public.customers";
    private static final String PRODUCTS = "public.products";

    private MigrationFixture migration;

    @BeforeEach
    void begin() {
        migration = new MigrationFixture("lagtools", 15, 15);
        migration.fillWithSample(2_000);
        migration.file("");
    }

    @AfterEach
    void end() {
        migration.close();
    }

    @Test
    void bothToolsShowTheTrueLag() throws Exception {
        migration.startCoordinator();
        await("tables on the target")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM wherry.journal") > 0);
        try (Connection target = Sessions.open(
                        migration.migration(), migration.migration().target(), "test");
                Statement statement = target.createStatement()) {
            // The lane waits for this lock: the chunk of the table is in Kafka and not applied.
            target.setAutoCommit(false);
            statement.execute("LOCK TABLE " + CUSTOMERS + " IN SHARE MODE");
            migration.startSource();
            migration.startProcess("sink");
            migration.awaitSlot();
            change(CUSTOMERS, "balance = balance + 1", 50);
            shownSoon(this::loading);
            target.rollback();
        }
        migration.awaitState(State.IN_SYNC);
        shownSoon(() -> behind());

        migration.execute(
                migration.migration().target(),
                "ALTER TABLE " + PRODUCTS + " ADD CONSTRAINT closed CHECK (false) NOT VALID");
        change(PRODUCTS, "price = price + 1", 30);
        change(CUSTOMERS, "balance = balance + 1", 40);
        shownSoon(() -> behind(PRODUCTS));
        assertThat(status().get(PRODUCTS).state()).isEqualTo("STOPPED");
        assertThat(status().get(PRODUCTS).lag().seconds()).isPositive();
        commandShowsTheSame();

        String member = lines().get(partition(PRODUCTS)).member();
        migration.kill("sink");
        migration.startProcess("sink");
        shownSoon(() -> {
            assertThat(lines().get(partition(PRODUCTS)).member()).isNotEqualTo(member);
            behind(PRODUCTS);
        });

        migration.execute(migration.migration().target(), "ALTER TABLE " + PRODUCTS + " DROP CONSTRAINT closed");
        assertThat(migration.run("retry")).isZero();
        shownSoon(() -> behind());
    }

    private static void shownSoon(ThrowingRunnable shown) {
        await().atMost(MigrationFixture.PATIENCE).untilAsserted(shown);
    }

    /** One source transaction. */
    private void change(String table, String set, int rows) throws Exception {
        migration.execute(
                migration.migration().source(),
                "UPDATE " + table + " SET " + set + " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " + table + " LIMIT "
                        + rows + "))");
    }

    private void loading() {
        Map<String, Line> lines = lines();
        assertThat(lines.get(partition(CUSTOMERS)).offset()).isEqualTo("0");
        assertThat(Long.parseLong(lines.get(partition(CUSTOMERS)).lag())).isGreaterThanOrEqualTo(50);
        assertThat(lines.entrySet())
                .filteredOn(line -> line.getKey().startsWith(loadTopic()))
                .hasSize(2)
                .extracting(line -> line.getValue().lag())
                .contains("0")
                .anyMatch(lag -> Long.parseLong(lag) > 0);
        assertThat(status().get(CUSTOMERS).state()).isEqualTo("LOADING");
        agree(lines);
    }

    /** These tables have a lag, and no other partition has one, of changes or of the load. */
    private void behind(String... tables) {
        Map<String, Line> lines = lines();
        Set<String> behind = new TreeSet<>(lines.keySet());
        behind.removeIf(partition -> lines.get(partition).lag().equals("0"));
        assertThat(behind)
                .as(lines::toString)
                .isEqualTo(Set.of(tables).stream().map(this::partition).collect(Collectors.toSet()));
        agree(lines);
    }

    /** Each table has the offset that the target has committed, and the lag that the status shows. */
    private void agree(Map<String, Line> lines) {
        status().forEach((table, shown) -> {
            Line line = lines.get(partition(table));
            assertThat(shown.lag().records()).as(table).hasToString(line.lag());
            assertThat(line.offset()).as(table).isEqualTo(checkpoint(table));
        });
    }

    private void commandShowsTheSame() throws Exception {
        assertThat(migration.run("lag", "--by-table", "--json")).isZero();
        JsonNode tables = Json.mapper()
                .readTree(migration
                        .log("command")
                        .lines()
                        .filter(line -> line.startsWith("["))
                        .findFirst()
                        .orElseThrow());
        assertThat(tables).hasSize(TABLES);
        assertThat(tables.get(0).path("table").asText()).as("the largest lag").isEqualTo(PRODUCTS);
        assertThat(tables.get(0).path("lag").path("records").asText())
                .isEqualTo(lines().get(partition(PRODUCTS)).lag());
        assertThat(tables.get(1).path("lag").path("records").asText()).isEqualTo("0");
    }

    private String loadTopic() {
        return migration.migration().topics().load();
    }

    private String topic(String table) {
        int dot = table.indexOf('.');
        return migration.migration().topics().changes(new TableId(table.substring(0, dot), table.substring(dot + 1)));
    }

    private String partition(String table) {
        return topic(table) + "-0";
    }

    private String checkpoint(String table) {
        return migration.text(
                migration.migration().target(),
                "SELECT next_offset FROM wherry.checkpoint WHERE topic = '" + topic(table) + "'");
    }

    /** Every partition of changes and of the load has a member, an offset and a lag. */
    private Map<String, Line> lines() {
        Map<String, Line> lines = ConsumerGroupTool.describe(migration.name, migration.directory);
        assertThat(lines).hasSize(TABLES + 2).allSatisfy((partition, line) -> {
            assertThat(line.member()).startsWith("wherry-sink-");
            assertThat(line.offset()).containsOnlyDigits();
            assertThat(line.lag()).containsOnlyDigits();
        });
        return lines;
    }

    private Map<String, TableStatus> status() {
        Map<String, TableStatus> tables = migration.coordinator().status().tables().stream()
                .collect(Collectors.toMap(TableStatus::table, Function.identity(), (one, other) -> one, TreeMap::new));
        assertThat(tables).hasSize(TABLES);
        return tables;
    }
}
