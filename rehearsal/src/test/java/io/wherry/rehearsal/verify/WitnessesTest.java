package io.wherry.rehearsal.verify;

import static io.wherry.rehearsal.verify.WitnessedSource.PATIENCE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Heartbeat;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.witness.Witnesses;
import java.sql.Connection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A table that is added to the publication is witnessed by a successor, and no change of any table is left out meanwhile. */
final class WitnessesTest {
    private static final String T = "CREATE TABLE t (id int PRIMARY KEY, v text)";
    private static final String ADDED = "CREATE TABLE added (id int PRIMARY KEY, v text)";
    private static final TableId TABLE = new TableId("public", "t");
    private static final TableId NEW = new TableId("public", "added");

    private static void catchUp(WitnessedSource source, Witnesses witnesses) throws Exception {
        assertThat(witnesses.await(Heartbeat.emit(source.session), PATIENCE))
                .as("problem: %s", witnesses.problem())
                .isTrue();
    }

    /** The tables that are different; empty = the successor is not ready. */
    private static Set<TableId> succeed(Witnesses witnesses) {
        Set<TableId> different = new TreeSet<>();
        witnesses.succeed(different::addAll);
        return different;
    }

    private static Set<TableId> succeeded(Witnesses witnesses) {
        return await().atMost(PATIENCE).until(() -> succeed(witnesses), different -> !different.isEmpty());
    }

    @ParameterizedTest
    @ValueSource(ints = {10, 15, 18})
    void changesBeforeDuringAndAfterTheSuccessionAreNamed(int version) throws Exception {
        try (WitnessedSource source = new WitnessedSource(version, T);
                Witnesses witnesses = new Witnesses(source.flow(), source.recorder());
                Connection other = source.open()) {
            source.publish("t");
            witnesses.start();
            source.run("INSERT INTO t VALUES (1)");
            catchUp(source, witnesses);
            assertThat(succeed(witnesses)).isEmpty();

            // This transaction has begun before the table is added. Its server may not notice the addition.
            Queries.execute(other, "BEGIN");
            Queries.execute(other, "INSERT INTO t VALUES (2)");
            source.run(ADDED, "INSERT INTO added VALUES (1)", "ALTER PUBLICATION wherry_test ADD TABLE ONLY added");
            await().atMost(PATIENCE).until(() -> witnesses.joined().equals(Set.of(NEW)));
            witnesses.renew();
            witnesses.renew();
            await().atMost(PATIENCE).until(() -> slots(source) == 2);
            source.run("INSERT INTO t VALUES (3)");
            assertThat(succeed(witnesses)).as("waits for the open transaction").isEmpty();
            assertThat(witnesses.published()).containsExactly(TABLE);
            Queries.execute(other, "INSERT INTO added VALUES (2)");
            Queries.execute(other, "COMMIT");
            Lsn before = witnesses.position();
            assertThat(succeeded(witnesses)).containsExactly(NEW);
            assertThat(witnesses.position()).isGreaterThanOrEqualTo(before);
            assertThat(witnesses.published()).containsExactlyInAnyOrder(TABLE, NEW);
            assertThat(witnesses.joined()).isEmpty();
            await().atMost(PATIENCE).until(() -> slots(source) == 1);

            source.run("INSERT INTO t VALUES (4)", "INSERT INTO added VALUES (3)");
            catchUp(source, witnesses);
            assertThat(new HashSet<>(source.texts())).contains("t[1]", "t[2]", "t[3]", "t[4]", "added[3]");

            // The seat of the first witness is taken again.
            source.run("CREATE TABLE more (id int PRIMARY KEY)", "ALTER PUBLICATION wherry_test ADD TABLE ONLY more");
            await().atMost(PATIENCE).until(() -> !witnesses.joined().isEmpty());
            witnesses.renew();
            assertThat(succeeded(witnesses)).containsExactly(new TableId("public", "more"));
            source.run("INSERT INTO more VALUES (1)", "DELETE FROM added WHERE id = 1");
            catchUp(source, witnesses);
            assertThat(source.texts()).contains("more[1]", "added[1]");
        }
    }

    @Test
    void aTableThatLeftThePublicationForAMomentMustBeComparedAgain() throws Exception {
        try (WitnessedSource source = new WitnessedSource(15, T, ADDED);
                Witnesses witnesses = new Witnesses(source.flow(), source.recorder())) {
            source.publish("t, added");
            witnesses.start();
            source.run("ALTER PUBLICATION wherry_test DROP TABLE added");
            source.run("INSERT INTO added VALUES (7)");
            source.run("ALTER PUBLICATION wherry_test ADD TABLE ONLY added");
            await().atMost(PATIENCE).until(() -> witnesses.joined().equals(Set.of(NEW)));
            assertThat(witnesses.published()).containsExactly(TABLE);
            assertThat(source.texts()).contains("added*");
            witnesses.renew();
            assertThat(succeeded(witnesses)).containsExactly(NEW);
        }
    }

    /** As in a window, which ends the transactions of applications: the successor's slot begins just then. */
    @Test
    void aSuccessorThatIsGivenUpNamesNothingAndLeavesNoSlot() throws Exception {
        try (WitnessedSource source = new WitnessedSource(15, T, ADDED);
                Witnesses witnesses = new Witnesses(source.flow(), source.recorder());
                Connection other = source.open()) {
            source.publish("t");
            witnesses.start();
            Queries.execute(other, "BEGIN");
            Queries.execute(other, "INSERT INTO t VALUES (1)");
            source.run("ALTER PUBLICATION wherry_test ADD TABLE ONLY added");
            await().atMost(PATIENCE).until(() -> !witnesses.joined().isEmpty());
            witnesses.renew();
            await().atMost(PATIENCE).until(() -> slots(source) == 2);
            witnesses.giveUp();
            Queries.execute(other, "COMMIT");
            source.run("INSERT INTO added VALUES (1)", "INSERT INTO t VALUES (2)");
            catchUp(source, witnesses);
            await().atMost(PATIENCE).until(() -> slots(source) == 1);
            assertThat(succeed(witnesses)).isEmpty();
            assertThat(source.texts()).contains("t[1]", "t[2]").doesNotHaveDuplicates();

            witnesses.renew();
            assertThat(succeeded(witnesses)).containsExactly(NEW);
        }
    }

    @Test
    void aSourceWithoutASlotForASuccessorIsSaidAndTheWitnessGoesOn() throws Exception {
        try (WitnessedSource source = new WitnessedSource(15, T, ADDED);
                Witnesses witnesses = new Witnesses(source.flow(), source.recorder())) {
            source.publish("t");
            witnesses.start();
            source.run("SELECT pg_create_physical_replication_slot('s' || i) FROM generate_series(1,"
                    + " current_setting('max_replication_slots')::int - 2) i");
            witnesses.renew();
            await().atMost(PATIENCE).until(witnesses::refused);
            source.run("INSERT INTO t VALUES (1)");
            catchUp(source, witnesses);
            assertThat(source.texts()).isEqualTo(List.of("t[1]"));
            source.run(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 's%'");
        }
    }

    private static long slots(WitnessedSource source) throws Exception {
        return Queries.number(
                source.session,
                "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'wherry_test_witness%'");
    }
}
