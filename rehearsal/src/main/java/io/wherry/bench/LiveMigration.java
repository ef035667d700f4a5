package io.wherry.bench;

import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.Waits;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;

/** A migration of {@code bench.events} and {@code bench.still} that is in sync, with a session of the bench's own on each side. */
final class LiveMigration implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(30);
    private static final long POLL_MILLIS = 50;
    private static final List<String> TABLES = List.of("bench.events", "bench.still");
    private static final int FIRST_MARK = -100;

    private final Migration migration;
    private final Pipeline pipeline;
    private final Connection source;
    private final Connection target;
    private int nextMark;

    private LiveMigration(BenchServers servers, Migration migration, String database, int marks) throws SQLException {
        this.migration = migration;
        nextMark = FIRST_MARK - marks;
        source = servers.open(true, database);
        target = servers.open(false, database);
        pipeline = new Pipeline(migration, servers.directory());
        servers.processes().beforeClose(pipeline::close);
    }

    /** Creates the tables on the source. @param rows of each */
    static void create(BenchServers servers, String database, long rows) throws SQLException {
        servers.create(database);
        servers.run(true, database, List.of("CREATE SCHEMA bench"));
        servers.run(true, database, Workload.UPDATE.creation(rows));
        servers.run(
                true,
                database,
                List.of(
                        "CREATE TABLE bench.still (LIKE bench.events INCLUDING ALL)",
                        "INSERT INTO bench.still SELECT * FROM bench.events",
                        "VACUUM ANALYZE"));
    }

    /**
     * Starts the services and returns when the target is in sync and, with a witness, when the proof has begun.
     *
     * @param load {@code verify.load}
     * @param maxLag the proof pauses while the lag is above this
     * @param marks distinct for each migration of the same database, 1,000 apart
     */
    static LiveMigration start(
            BenchServers servers, String database, boolean witness, int load, Duration maxLag, int marks)
            throws Exception {
        Verify verify = new Verify(witness, load, 1, Verify.DEFAULT.wholeWithin(), Verify.DEFAULT.maxAge());
        Migration migration = servers.migration(database, List.of("bench.*"), verify, maxLag);
        LiveMigration live = new LiveMigration(servers, migration, database, marks);
        boolean done = false;
        try {
            live.pipeline.start();
            live.pipeline.awaitInSync();
            if (witness) {
                live.awaitWitness();
            }
            done = true;
            return live;
        } finally {
            if (!done) {
                live.close();
            }
        }
    }

    private void awaitWitness() throws Exception {
        String slot = slots().get(1);
        Waits.until("the witness", LIMIT, POLL_MILLIS, () -> {
            pipeline.requireRunning();
            return Queries.truth(
                            source,
                            "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE active AND slot_name = ?)",
                            slot)
                    && pipeline.coordinator().status().proof().tables() > 0;
        });
    }

    /** Names of the slots: that of the changes, and that of the witness. */
    List<String> slots() {
        return BenchServers.slots(migration);
    }

    Pipeline pipeline() {
        return pipeline;
    }

    Connection source() {
        return source;
    }

    Connection target() {
        return target;
    }

    /** Returns when everything that was committed is on the target. */
    void awaitArrival() throws Exception {
        int mark = nextMark--;
        Queries.execute(source, Workload.UPDATE.marker(TABLES.get(0), mark));
        Waits.until("the end of the changes", LIMIT, POLL_MILLIS, () -> {
            pipeline.requireRunning();
            return Queries.truth(target, "SELECT EXISTS (SELECT FROM bench.events WHERE id = ?)", mark);
        });
    }

    /** Compares both sides when everything has arrived. */
    void compare(Results results, String subject) throws Exception {
        awaitArrival();
        results.compared(subject, Digests.of(source, TABLES), Digests.of(target, TABLES));
    }

    @Override
    public void close() throws SQLException {
        pipeline.close();
        source.close();
        target.close();
    }
}
