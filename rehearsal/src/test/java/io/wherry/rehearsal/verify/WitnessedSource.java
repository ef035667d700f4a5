package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Apply;
import io.wherry.contract.config.Migration.Cutover;
import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Load;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Heartbeat;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.witness.Changes;
import io.wherry.coordinator.witness.Witness;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.fixture.SharedServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/** A source whose changes a witness names. The publication is made by hand. */
final class WitnessedSource implements AutoCloseable {
    static final Duration PATIENCE = Duration.ofSeconds(30);
    static final String DATABASE = "shop";

    /** @param key empty = the whole table */
    record Named(TableId table, List<String> key, Lsn lsn) {
        /** {@code items[1, a]}, or {@code items*} for the whole table. */
        String text() {
            return table.table() + (key.isEmpty() ? "*" : key.toString());
        }
    }

    final PostgresServer server;
    final Connection session;
    private final SharedServer shared;
    private final List<Named> named = new ArrayList<>();
    private final List<Witness> witnesses = new ArrayList<>();
    private Tables tables = new Tables(List.of("public.*"), List.of());
    private volatile CountDownLatch gate = new CountDownLatch(0);

    WitnessedSource(int version, String... statements) throws SQLException {
        shared = SharedServer.source(version);
        server = shared.take();
        try (Connection admin =
                DriverManager.getConnection(server.jdbcUrl("postgres"), server.superuser(), server.password())) {
            Queries.execute(admin, "CREATE DATABASE " + DATABASE + " ENCODING 'UTF8' TEMPLATE template0");
        }
        session = open();
        run(statements);
    }

    /** A session as the test's applications have it: with the role's settings where they matter. */
    Connection open() throws SQLException {
        Connection opened = Sessions.open(flow().migration(), flow().from(), "test");
        Queries.execute(opened, "SET search_path = public, pg_catalog");
        return opened;
    }

    WitnessedSource selecting(Tables selected) {
        tables = selected;
        return this;
    }

    Flow flow() {
        return flow(server.superuser(), server.password());
    }

    Flow flow(String user, String password) {
        Endpoint endpoint = new Endpoint(server.jdbcUrl(DATABASE), user, password);
        return Flow.first(new Migration(
                "test",
                endpoint,
                endpoint,
                TargetSchemaMode.CREATE,
                tables,
                Map.of(),
                Optional.empty(),
                Map.of(),
                new Load(2),
                new Apply(2, Map.of()),
                Migration.Verify.DEFAULT,
                new Cutover(
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(20),
                        FenceMode.NO_LOGIN,
                        new Switch.None()),
                new Http("127.0.0.1", 0, Optional.of("secret")),
                Map.of()));
    }

    void run(String... statements) throws SQLException {
        for (String sql : statements) {
            Queries.execute(session, sql);
        }
    }

    void publish(String tables) throws SQLException {
        run("CREATE PUBLICATION wherry_test FOR TABLE ONLY " + tables);
    }

    /** A witness that reads. */
    Witness start() {
        Witness witness = witness(recorder());
        witness.start();
        return witness;
    }

    Witness witness(Changes changes) {
        Witness witness = new Witness(flow(), changes);
        witnesses.add(witness);
        return witness;
    }

    Changes recorder() {
        return new Changes() {
            @Override
            public void changed(TableId table, List<String> key, Lsn lsn) {
                add(new Named(table, key, lsn));
            }

            @Override
            public void changedWhole(TableId table, Lsn lsn) {
                add(new Named(table, List.of(), lsn));
            }
        };
    }

    private void add(Named one) {
        synchronized (named) {
            named.add(one);
        }
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Holds the witness at the next change that it names, until the gate is opened. */
    CountDownLatch closeGate() {
        gate = new CountDownLatch(1);
        return gate;
    }

    /** Waits until everything that has committed is named. */
    void catchUp(Witness witness) throws SQLException, InterruptedException {
        Lsn lsn = Heartbeat.emit(session);
        assertThat(witness.await(lsn, PATIENCE))
                .as("problem: %s", witness.problem())
                .isTrue();
        assertThat(witness.position()).isGreaterThanOrEqualTo(lsn);
    }

    /** What was named since the last call, in order. */
    List<Named> named() {
        synchronized (named) {
            List<Named> taken = List.copyOf(named);
            named.clear();
            return taken;
        }
    }

    /** The same as text. */
    List<String> texts() {
        return named().stream().map(Named::text).toList();
    }

    /** Number of slots of the witness on the server. */
    long slots() throws SQLException {
        return Queries.number(
                session, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'wherry_test_witness'");
    }

    @Override
    public void close() throws SQLException {
        gate.countDown();
        witnesses.forEach(Witness::close);
        session.close();
        shared.clean(true);
    }
}
