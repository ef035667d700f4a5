package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Service;
import io.wherry.contract.Sessions;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.CutoverResult;
import io.wherry.coordinator.CutoverResult.Outcome;
import io.wherry.coordinator.PostgresTools;
import io.wherry.coordinator.SchemaCompare;
import io.wherry.coordinator.SchemaCopy;
import io.wherry.coordinator.State;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A migration between two embedded servers over the shared broker, with verbs for what happens to it. */
final class MigrationFixture extends MigrationProcesses implements AutoCloseable {
    private final List<Service> services = new ArrayList<>();
    private CutoverCoordinator coordinator;
    private Traffic traffic;

    /** A migration between the servers that all tests of this JVM share. */
    MigrationFixture(String name, int sourceVersion, int targetVersion) {
        this(name, ServerPair.shared(sourceVersion, targetVersion), name, false);
    }

    /** A migration between servers of its own, which may be stopped and configured. */
    static MigrationFixture alone(String name, int sourceVersion, int targetVersion) {
        return new MigrationFixture(name, new ServerPair(sourceVersion, targetVersion), name, true);
    }

    /** A migration of its own databases between servers that others use before and after. */
    static MigrationFixture between(ServerPair servers, String name) {
        return between(servers, name, name);
    }

    /** With databases of a name that may hold any character. */
    static MigrationFixture between(ServerPair servers, String name, String database) {
        return new MigrationFixture(name, servers, database, false);
    }

    private MigrationFixture(String name, ServerPair servers, String database, boolean ownsServers) {
        super(name, servers, database, ownsServers);
    }

    void keepWriting(int rate) throws SQLException {
        try (Connection owner = Sessions.open(migration(), migration().source(), "test")) {
            traffic = new Traffic(
                    () -> RehearsalDatabase.endpoint(source(), database(), RehearsalDatabase.APPLICATION),
                    owner,
                    1,
                    rate);
        }
        traffic.start();
    }

    long acknowledged() {
        return traffic.acknowledged();
    }

    void startSource() {
        start(new SourceConnector(migration()));
    }

    void startSink() {
        start(new SinkApplier(migration()));
    }

    void startCoordinator() {
        coordinator =
                new CutoverCoordinator(migration(), directory.resolve("state").resolve(name));
        start(coordinator);
    }

    void startAll() {
        startCoordinator();
        startSource();
        start(new SinkApplier(migration()));
    }

    private void start(Service service) {
        services.add(service);
        service.start();
    }

    void awaitState(State state) {
        await("state " + state)
                .atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(50))
                .until(() -> {
                    for (Service service : services) {
                        if (service.done().toCompletableFuture().isCompletedExceptionally()) {
                            Services.await(service);
                        }
                    }
                    assertAllAlive();
                    assertThat(coordinator.status().tables())
                            .allSatisfy(table ->
                                    assertThat(table.error()).as(table.table()).isNull());
                    return coordinator.status().state() == state;
                });
    }

    CutoverResult cutOver() {
        return coordinator.cutover(false).toCompletableFuture().join();
    }

    CutoverCoordinator coordinator() {
        return coordinator;
    }

    void stopWriting() {
        traffic.close();
    }

    /** Cuts over, which compares with the product's means; what was written just before may have to be applied first. */
    private void complete() {
        CutoverResult result = await("gate met")
                .atMost(PATIENCE)
                .until(
                        this::cutOver,
                        r -> r.outcome() != Outcome.REFUSED
                                || !r.reason().matches("(?s)(in state|the schema changed on the source|table ).*"));
        assertThat(result)
                .extracting(CutoverResult::outcome, CutoverResult::reason)
                .containsExactly(Outcome.COMPLETED, "");
        awaitForeignKeys();
    }

    /** Waits until those that can be are validated, which comes after the switch. */
    void awaitForeignKeys() {
        coordinator.done().toCompletableFuture().join();
    }

    /** Cuts over and compares rows and schema again. */
    void completeExactly() throws Exception {
        cutOverAndCompare();
        assertSchemasAreEqual();
    }

    /** Compares both schemas by what pg_dump writes, and as the product does. */
    void assertSchemasAreEqual() throws Exception {
        IndependentComparison.assertSchemasAreEqual(
                migration(), directory, List.of(libpqUrl(source()), libpqUrl(target())));
        SchemaCompare.Result schema = compareSchemas();
        assertThat(schema.onlyOnSource()).isEmpty();
        assertThat(schema.onlyOnTarget()).isEmpty();
    }

    SchemaCompare.Result compareSchemas() throws SQLException {
        return new SchemaCompare(migration(), PostgresTools.locate(SchemaCopy.toolsVersion(migration()))).run();
    }

    /** Cuts over and compares rows again with our own means. */
    void cutOverAndCompare() throws Exception {
        complete();
        assertSourceEqualsTarget();
    }

    /** Compares every table that is followed by its COPY text: nothing of the product takes part. */
    void assertSourceEqualsTarget() throws Exception {
        IndependentComparison.assertRowsAreEqual(migration());
    }

    @Override
    public void close() {
        if (traffic != null) {
            traffic.close();
        }
        boolean onlyServices = killAll();
        for (int i = services.size() - 1; i >= 0; i--) {
            services.get(i).close();
        }
        leave(onlyServices);
    }
}
