package io.wherry.contract.record;

import io.wherry.contract.record.Pieces.Piece;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** The schema as the control topic has it, taken record by record. Not safe for use by several threads. */
public final class SchemaHistory {
    private final Pieces.Joiner<SchemaEvent> schema = new Pieces.Joiner<>(SchemaEvent.class);
    private final Pieces.Joiner<TopicsSeen> seen = new Pieces.Joiner<>(TopicsSeen.class);
    private SortedMap<Long, SchemaEvent> events = new TreeMap<>();
    private final List<TopicsSeen> topics = new ArrayList<>();

    /** Takes a record, if it concerns the schema. */
    public void see(ConsumerRecord<byte[], byte[]> record) {
        switch (record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8)) {
            case SchemaEvent.KEY ->
                schema.add(Json.read(record, Piece.class)).ifPresent(event -> add(event.id(), event.value()));
            case TopicsSeen.KEY -> seen.add(Json.read(record, Piece.class)).ifPresent(one -> add(one.value()));
            default -> {
                // Not about the schema.
            }
        }
    }

    /** The events in their order; empty = the first one has not come. */
    public List<SchemaEvent> events() {
        return List.copyOf(events.values());
    }

    private void add(long id, SchemaEvent event) {
        if (event.equals(events.get(id))) {
            // Sent twice. The first may come late, after the events that follow it, and these do not come again.
            return;
        }
        // Another event with the same id takes the place of everything from there on (SchemaLog). So does the first
        // copy
        // onto another target.
        boolean first = event.kind() == SchemaEvent.Kind.CREATED || event.kind() == SchemaEvent.Kind.EXISTING;
        events = first ? new TreeMap<>() : new TreeMap<>(events.headMap(id));
        events.put(id, event);
    }

    private void add(TopicsSeen next) {
        TopicsSeen last = topics.isEmpty() ? null : topics.get(topics.size() - 1);
        // Of records that say the same, the latest tells the most: each load before it wrote to these topics.
        if (last != null && last.topics().equals(next.topics()) && !last.lsn().isAfter(next.lsn())) {
            topics.remove(topics.size() - 1);
        }
        topics.add(next);
    }

    /** The ids of the topics in the order in which they were noted; the latest record of those that say the same. */
    public List<TopicsSeen> topics() {
        return List.copyOf(topics);
    }
}
