package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Pieces.Piece;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** The schema as the control topic has it, taken record by record. Not safe for use by several threads. */
public final class SchemaHistory {
    private final Pieces.Joiner<SchemaEvent> schema = new Pieces.Joiner<>(SchemaEvent.class);
    private final Pieces.Joiner<LastSeen> seen = new Pieces.Joiner<>(LastSeen.class);
    private SortedMap<Long, SchemaEvent> events = new TreeMap<>();
    private final List<LastSeen> lastSeen = new ArrayList<>();

    /** Takes a record, if it concerns the schema. */
    public void see(ConsumerRecord<byte[], byte[]> record) {
        switch (record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8)) {
            case SchemaEvent.KEY ->
                schema.add(Json.read(record, Piece.class)).ifPresent(event -> {
                    // An id that comes again takes the place of everything from there on (SchemaLog). So does the
                    // first copy onto another target.
                    boolean first = event.value().kind() == SchemaEvent.Kind.CREATED
                            || event.value().kind() == SchemaEvent.Kind.EXISTING;
                    events = first ? new TreeMap<>() : new TreeMap<>(events.headMap(event.id()));
                    events.put(event.id(), event.value());
                });
            case LastSeen.KEY -> seen.add(Json.read(record, Piece.class)).ifPresent(one -> lastSeen.add(one.value()));
            default -> {
                // Not about the schema.
            }
        }
    }

    /** The events in their order; empty = the first one has not come. */
    public List<SchemaEvent> events() {
        return List.copyOf(events.values());
    }

    /** Every record of what no stream carries, in the topic's order. */
    public List<LastSeen> seen() {
        return List.copyOf(lastSeen);
    }

    /**
     * What was seen of what no stream carries: first after the LSN, or else last before it. Empty = never.
     *
     * @param until commit LSN that the database is wanted as of
     */
    public Optional<LastSeen> lastSeen(Lsn until) {
        return lastSeen.stream()
                .filter(seen -> !until.isAfter(seen.lsn()))
                .findFirst()
                .or(() -> lastSeen.isEmpty() ? Optional.empty() : Optional.of(lastSeen.get(lastSeen.size() - 1)));
    }
}
