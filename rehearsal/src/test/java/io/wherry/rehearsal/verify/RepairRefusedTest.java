package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.repair.RepairedTable;
import io.wherry.coordinator.repair.Sending;
import io.wherry.coordinator.repair.Sending.Later;
import io.wherry.coordinator.repair.Sending.Refused;
import io.wherry.coordinator.repair.Sending.Sent;
import io.wherry.coordinator.repair.SourceRows;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A repair that cannot be made now, or not at all, harms neither the applications nor the table. */
@EveryThirdDay(2)
final class RepairRefusedTest {
    private MigrationFixture migration;
    private SentRows rows;

    private void start(MigrationFixture fixture) throws Exception {
        migration = fixture;
        migration.file("");
        migration.execute(
                migration.migration().source(),
                "CREATE TABLE public.hay (id int PRIMARY KEY, u text UNIQUE, big text)",
                "INSERT INTO public.hay SELECT i, 'u' || i FROM generate_series(1, 20) i",
                "GRANT SELECT ON public.hay TO app");
        migration.startAll();
        rows = new SentRows(migration);
    }

    private Connection session() throws Exception {
        return Sessions.open(migration.migration(), rows.source, "test");
    }

    @Test
    void aLockOnTheSourceIsNotWaitedForAndAnAbsentRowMayCome() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairlocked", 15, 15)) {
            start(fixture);
            migration.execute(rows.target, "UPDATE public.hay SET u = 'rogue' || id WHERE id <= 3");
            migration.execute(rows.target, "INSERT INTO public.hay VALUES (50, 'rogue')");
            try (Connection own = session();
                    Connection application = session()) {
                application.setAutoCommit(false);
                Queries.execute(application, "UPDATE public.hay SET u = 'written' WHERE id = 2");
                long began = System.nanoTime();
                assertThat(rows.send(own, 1, 2, 3)).isInstanceOf(Later.class);
                assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(2));
                assertThat(rows.send(own, 1)).as("the others").isInstanceOf(Sent.class);
                application.commit();
                assertThat(rows.send(own, 2, 3)).isInstanceOf(Sent.class);

                Queries.execute(application, "LOCK TABLE public.hay");
                assertThat(rows.send(own, 1)).isInstanceOf(Later.class);
                application.rollback();

                // The key is inserted, and not committed before the message is.
                Queries.execute(application, "INSERT INTO public.hay VALUES (50, 'inserted')");
                Sending sending = rows.send(own, 50);
                application.commit();
                assertThat(sending).isEqualTo(new Sent(List.of(List.of("50")), List.of(List.of("50")), List.of()));
            }
            rows.awaitArrival();
            assertThat(rows.onTarget("id, u", "1, 2, 3, 50")).isEqualTo("1 u1, 2 written, 3 u3, 50 inserted");
            migration.assertSourceEqualsTarget();
        }
    }

    @Test
    void whatCannotBeRepairedIsSaid() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairrefused", 15, 15)) {
            start(fixture);
            Endpoint reader =
                    RehearsalDatabase.endpoint(migration.source(), migration.database(), RehearsalDatabase.APPLICATION);
            try (Connection own = session();
                    Connection other = DriverManager.getConnection(reader.url(), reader.user(), reader.password())) {
                assertThat(rows.send(other, 1))
                        .isInstanceOfSatisfying(Refused.class, refused -> assertThat(refused.why())
                                .contains("GRANT SELECT, UPDATE ON \"public\".\"hay\""));
                assertThat(other.getAutoCommit()).isTrue();
                migration.execute(
                        rows.source,
                        "UPDATE public.hay SET big = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 550000) i)"
                                + " WHERE id = 7");
                assertThat(rows.send(own, 6, 7))
                        .isEqualTo(new Sent(List.of(List.of("6")), List.of(), List.of(List.of("7"))));
                migration.execute(
                        rows.source, "UPDATE public.hay SET big = repeat('large ', 150000) WHERE id IN (8, 9, 10)");
                assertThat(rows.send(own, 6, 8, 9, 11))
                        .as("a mebibyte together")
                        .isEqualTo(new Sent(List.of(List.of("6"), List.of("8"), List.of("11")), List.of(), List.of()));
                migration.execute(rows.source, "UPDATE public.hay SET big = repeat('large ', 300000) WHERE id = 10");
                assertThat(rows.send(own, 10, 11)).isInstanceOf(Later.class);
                assertThat(rows.send(own, 10))
                        .as("a larger row alone")
                        .isEqualTo(new Sent(List.of(List.of("10")), List.of(), List.of()));
            }
        }
    }

    /** The proof reads the catalog once a minute. */
    @Test
    void aKeyThatIsAnotherThanTheProofKnowsSendsNothing() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairkey", 15, 15)) {
            start(fixture);
            try (Connection own = session()) {
                String equal = rows.table.equal();
                assertThat(send(own, known('d', "id", equal), "1")).isInstanceOf(Sent.class);
                assertThat(send(own, known('f', "id", equal), "1")).isInstanceOf(Later.class);
                assertThat(send(own, known('d', "u", "\"u\" = ?"), "u1")).isInstanceOf(Later.class);
                assertThat(send(own, known('d', "id", equal.replace("=", ">=")), "19"))
                        .as("two rows")
                        .isInstanceOf(Refused.class);
            }
        }
    }

    private RepairedTable known(char identity, String key, String equal) {
        RepairedTable table = rows.table;
        return new RepairedTable(table.oid(), table.id(), table.rows(), identity, List.of(key), equal, "");
    }

    private Sending send(Connection session, RepairedTable table, String key) throws Exception {
        return new SourceRows(session, table)
                .send(
                        List.of(List.of(key)),
                        rows.secret,
                        migration.name,
                        migration.flow().generation());
    }

    /** Nobody has found yet that row 2 is wrong too. */
    @Test
    void aRowThatTheTargetRefusesStaysAndTheTableGoesOn() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairunique", 15, 15)) {
            start(fixture);
            migration.execute(
                    rows.target,
                    "UPDATE public.hay SET u = 'x' WHERE id = 1",
                    "UPDATE public.hay SET u = 'u1' WHERE id = 2",
                    "UPDATE public.hay SET u = 'rogue' WHERE id = 3");
            try (Connection own = session()) {
                assertThat(rows.send(own, 1, 3)).isInstanceOf(Sent.class);
                rows.awaitArrival();
                assertThat(rows.onTarget("id, u", "1, 2, 3")).isEqualTo("1 x, 2 u1, 3 u3");
                assertThat(rows.send(own, 1, 2)).isInstanceOf(Sent.class);
                rows.awaitArrival();
                assertThat(rows.onTarget("id, u", "1, 2, 3")).isEqualTo("1 u1, 2 u2, 3 u3");

                // No row has changed since, so the server has not described the new column yet.
                migration.execute(rows.target, "UPDATE public.hay SET u = 'rogue' WHERE id = 4");
                migration.execute(rows.source, "ALTER TABLE public.hay ADD COLUMN w text DEFAULT 'new'");
                assertThat(rows.send(own, 4)).isInstanceOf(Sent.class);
                rows.awaitArrival();
                assertThat(rows.onTarget("id, u, w", "4, 5")).isEqualTo("4 u4 new, 5 u5 new");
            }
            migration.assertSourceEqualsTarget();
        }
    }
}
