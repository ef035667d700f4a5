package io.wherry.sink.merge;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.sink.state.BarrierProgress.Note;
import io.wherry.sink.state.Checkpoints.Move;
import io.wherry.sink.state.TableState;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** What one target transaction holds: changes by table, moves of checkpoints, and barriers. */
public final class ChangeBatch {
    /** Bytes of a value that takes so long on the target that other tables must not wait for it. */
    public static final int GIANT_BYTES = 4 << 20;

    private final Map<TableId, Part> parts = new LinkedHashMap<>();
    private final Set<TableId> giants = new HashSet<>();
    private final Map<TableState, DataException> refused = new LinkedHashMap<>();
    private int read;
    private long bytes;

    /**
     * One table's share.
     *
     * @param notes of partitions that have come to a barrier
     * @param ended sections of barriers of which this batch holds the last
     */
    public record Part(
            TableState relation, List<Change> changes, List<Move> moves, List<Note> notes, List<Section> ended) {
        Part(TableState relation) {
            this(relation, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }

        /** Whether it speaks of the table itself, not of checkpoints alone. */
        public boolean holds() {
            return !(changes.isEmpty() && notes.isEmpty() && ended.isEmpty());
        }
    }

    public Part part(TableState relation) {
        return parts.computeIfAbsent(relation.table(), table -> new Part(relation));
    }

    /** A change of the table was read for it, of {@code length} bytes. */
    public void took(TableId table, int length) {
        read++;
        bytes += length;
        if (length >= GIANT_BYTES) {
            giants.add(table);
        }
    }

    public boolean hasGiant() {
        return !giants.isEmpty();
    }

    /** Takes out the tables that have giant values; empty when there are none. */
    public Optional<ChangeBatch> takeGiants() {
        ChangeBatch taken = new ChangeBatch();
        giants.stream().filter(parts::containsKey).forEach(table -> taken.parts.put(table, parts.remove(table)));
        giants.clear();
        return taken.parts.isEmpty() ? Optional.empty() : Optional.of(taken);
    }

    public Set<TableId> tables() {
        return Set.copyOf(parts.keySet());
    }

    /** Number of changes that were read for it, without those held back from an earlier batch. */
    public int read() {
        return read;
    }

    /** Bytes of the changes that were read for it. */
    public long bytes() {
        return bytes;
    }

    /** Takes the table out of it: one of its records cannot be applied. */
    public void refuse(TableState relation, DataException failure) {
        drop(relation.table());
        refused.put(relation, failure);
    }

    /** The tables that were taken out, which must be stopped. */
    public Map<TableState, DataException> refused() {
        return refused;
    }

    public Collection<Part> parts() {
        return Collections.unmodifiableCollection(parts.values());
    }

    public void drop(TableId table) {
        parts.remove(table);
    }

    /** The table whose constraint refused, by what the server says of it; null when it is none of these. */
    public TableState violated(Exception failure) {
        ServerErrorMessage message = failure instanceof PSQLException e ? e.getServerErrorMessage() : null;
        if (message == null || message.getSchema() == null || message.getTable() == null) {
            return null;
        }
        Part part = parts.get(new TableId(message.getSchema(), message.getTable()));
        return part == null ? null : part.relation();
    }

    /** Whether there is nothing to write. */
    public boolean isEmpty() {
        return parts.values().stream()
                .noneMatch(part -> part.holds() || !part.moves().isEmpty());
    }

    public List<Move> moves() {
        return parts.values().stream().flatMap(part -> part.moves().stream()).toList();
    }
}
