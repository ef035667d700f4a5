package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.coordinator.proof.Proof;
import io.wherry.coordinator.proof.ProofInWindow;
import io.wherry.coordinator.proof.ProofStatus.TableStatus;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Two databases with the same rows and the proof of that. The test is the pipeline and the witness. */
final class ProvenPair implements AutoCloseable {
    static final Duration LIMIT = Duration.ofMinutes(1);

    final DirtyKeys dirty;
    final Proof proof;
    final Connection source;
    final Connection target;
    final BothSides sides;
    private final TwoServers servers;
    private Lsn passed;

    /**
     * @param sql creates and fills the tables on both sides
     * @param where the filters of tables
     */
    ProvenPair(int from, int to, String sql, Map<String, String> where, DirtyKeys dirty) throws SQLException {
        this(from, to, sql, new Tables(List.of("*"), List.of(), where, List.of(), List.of()), dirty);
    }

    /** @param selected the tables */
    ProvenPair(int from, int to, String sql, Tables selected, DirtyKeys dirty) throws SQLException {
        this(from, to, sql, selected, dirty, 1);
    }

    /** @param sessions of each side */
    ProvenPair(int from, int to, String sql, Tables selected, DirtyKeys dirty, int sessions) throws SQLException {
        this.dirty = dirty;
        servers = new TwoServers(from, to);
        for (var server : List.of(servers.source, servers.target)) {
            servers.run(server, "postgres", "CREATE DATABASE shop");
            servers.run(server, "shop", sql);
        }
        Migration as = servers.migration();
        Migration migration = new Migration(
                as.name(),
                as.source(),
                as.target(),
                as.schema(),
                selected,
                as.kafka(),
                as.registryUrl(),
                as.load(),
                as.apply(),
                as.cutover(),
                as.http());
        Flow flow = Flow.first(migration);
        sides = BothSides.open(flow, new BoundSessions(flow), "test", sessions);
        source = sides.source();
        target = sides.target();
        passed = now();
        Set<TableId> tables = SelectedTables.names(source, migration);
        proof = new Proof(flow, dirty, () -> passed, passed, tables);
    }

    static TableId table(String name) {
        return new TableId("public", name);
    }

    Lsn now() throws SQLException {
        return Lsn.parse(Queries.string(source, "SELECT pg_current_wal_insert_lsn()::text")
                .orElseThrow());
    }

    /** Another session on the source. */
    Connection openSource() throws SQLException {
        return servers.openSource();
    }

    void onSource(String sql) throws SQLException {
        Queries.execute(source, sql);
    }

    void onTarget(String sql) throws SQLException {
        Queries.execute(target, sql);
    }

    /** The witness names a key; nothing is said of the target. */
    void changed(String table, String... key) throws SQLException {
        dirty.changed(table(table), List.of(key), now());
    }

    /** Everything that was written has been applied and named. */
    void pass() throws SQLException {
        passed = now();
    }

    /** One piece of work, and nothing passes meanwhile. */
    boolean turn() throws SQLException {
        return proof.turn(sides);
    }

    /** Works until nothing is left to do, while the position follows the log. */
    void settle() throws SQLException {
        int turns = 0;
        do {
            pass();
            assertThat(turns++).as("turns").isLessThan(5_000);
        } while (turn());
    }

    /** What stands, each as for people. */
    Set<String> differences() {
        return proof.status().differences().stream()
                .map(Difference::explained)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    Set<String> proven() {
        return proof.proven().stream().map(TableId::table).collect(Collectors.toCollection(TreeSet::new));
    }

    /** As in the window. */
    TableResult finish(String table) throws SQLException {
        pass();
        return proof.finish(sides, Set.of(table(table)), passed, LIMIT).get(0);
    }

    /** How the window would compare the tables now, if all changes were named. */
    ProofInWindow.Plan plan(Duration wholeWithin) throws SQLException {
        return proof.plan(
                sides,
                proof.status().tables().stream().map(TableStatus::table).collect(Collectors.toSet()),
                wholeWithin,
                LIMIT);
    }

    /** All tables of which the plan compares every row. */
    static Set<TableId> whole(ProofInWindow.Plan plan) {
        Set<TableId> whole = new TreeSet<>(plan.must());
        whole.addAll(plan.choice());
        return whole;
    }

    /** The tables of these that the window finds equal when it compares every row. */
    Set<String> equalAsWhole(Set<TableId> which) throws SQLException {
        return proof.whole(sides, which, LIMIT).stream()
                .map(result -> result.table().table())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Override
    public void close() throws SQLException {
        sides.close();
        servers.close();
    }
}
