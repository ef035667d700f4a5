package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaEvent.Kind;
import io.wherry.contract.record.SchemaHistory;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Brings to a database that follows the topics what is done to the schema of the first target, in the same order. What may reject
 * rows waits for the end of following ({@link Followed}); columns come with the changes. Not safe for use by several threads.
 */
final class FollowedSchema implements AutoCloseable {
    private static final Duration POLL = Duration.ofMillis(20);

    private final Flow flow;
    private final Goal goal;
    private final TopicTail tail;
    private final SchemaHistory history = new SchemaHistory();
    private final Map<TableId, Integer> planned = new TreeMap<>();
    private List<String> waits = List.of();

    FollowedSchema(Flow flow, Goal goal) {
        this.flow = flow;
        this.goal = goal;
        this.tail = new TopicTail(flow.migration(), flow.migration().topics().control());
        tail.readAll(this::see);
    }

    private void see(ConsumerRecord<byte[], byte[]> record) {
        history.see(record);
        if (record.key() != null && LoadPlan.KEY.equals(new String(record.key(), StandardCharsets.UTF_8))) {
            LoadPlan plan = goal.following().plans().apply(Json.read(record, LoadPlan.class));
            plan.tables().forEach(table -> planned.put(table.id(), plan.epoch()));
        }
    }

    /** The tables that the database must have, each with its last load. */
    Map<TableId, Integer> tables() {
        Map<TableId, Integer> tables = new TreeMap<>(planned);
        tables.keySet().removeAll(History.dropped(history.events()));
        return tables;
    }

    /** What cannot be brought yet, and why. */
    List<String> waits() {
        return waits;
    }

    /**
     * Checks that what the database has of the schema is still the beginning of what was done to the first target.
     *
     * @throws DataException when it is not
     */
    void requireSame(Connection target) throws SQLException {
        SchemaPlace place = Store.schemaPlace(target);
        if (!place.equals(SchemaPlace.of(history.events()
                .subList(0, Math.min(place.events(), history.events().size()))))) {
            throw new DataException(
                    "follow",
                    "the schema",
                    "the first target was made again, or came back without its last commits, and what was done to it since"
                            + " is not what this database has",
                    "Rebuild into another, empty database");
        }
    }

    /** Takes what has come, and brings what may be brought; each event in its own transaction. */
    void bring(Connection lock) throws SQLException {
        List<SchemaEvent> before = history.events();
        tail.poll(POLL).forEach(this::see);
        List<SchemaEvent> events = history.events();
        if (!events.equals(before)) {
            requireSame(lock);
        }
        waits = List.of();
        for (int done = Store.schemaPlace(lock).events(); done < events.size() && waits.isEmpty(); done++) {
            SchemaEvent event = events.get(done);
            List<TableId> there = event.kind() == Kind.ADDED ? there(lock, event) : List.of();
            waits = there.isEmpty()
                    ? bring(event, SchemaPlace.of(events.subList(0, done + 1)))
                    : List.of("tables that are made again, once their earlier rows are gone: " + there);
        }
    }

    /**
     * The sink-applier here drops a table in its place among the changes, as that of the first target did. Counterexample without the
     * wait: the new table is made at once in the place of the old one, and then the load plan finds a table of that name from an
     * earlier load, and drops it.
     */
    private List<TableId> there(Connection lock, SchemaEvent event) throws SQLException {
        List<TableId> there = new ArrayList<>();
        for (TableId table : event.tables()) {
            if (Preparation.exists(lock, table)) {
                there.add(table);
            }
        }
        return there;
    }

    /** @return why the event must be tried again; empty = it is in */
    private List<String> bring(SchemaEvent event, SchemaPlace place) throws SQLException {
        try (Connection target =
                Sessions.openForSchema(flow.migration(), flow.to(), Rebuild.PURPOSE + "schema", goal.searchPath())) {
            target.setAutoCommit(false);
            try {
                new Preparation(flow, goal).follow(target, event);
                Store.putSchemaPlace(target, place);
                target.commit();
                return List.of();
            } catch (Refusal e) {
                throw new DataException("follow the schema on", flow.to().toString(), e.getMessage(), "", e);
            } catch (SQLException e) {
                if (Sessions.state(e).matches("40.*|55P03")) {
                    // The sink-applier here works on the same table.
                    return List.of(event.kind() + " " + event.object() + " " + event.tables() + ": " + e.getMessage());
                }
                if (Sessions.state(e).matches("08.*|57.*|53.*")) {
                    throw e;
                }
                throw new DataException(
                        "follow the schema on",
                        flow.to().toString(),
                        e.getMessage(),
                        "Make this database accept the statement, then give the same command again, which continues",
                        e);
            }
        }
    }

    @Override
    public void close() {
        tail.close();
    }
}
