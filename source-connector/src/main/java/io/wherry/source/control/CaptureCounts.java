package io.wherry.source.control;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.SourceStatus.Captured;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/** Rows read and changes captured for each table, since the process started. Safe for use by several threads. */
public final class CaptureCounts {
    private final Map<TableId, Counts> tables = new ConcurrentSkipListMap<>();

    private record Counts(LongAdder read, LongAdder insert, LongAdder update, LongAdder delete, LongAdder truncate) {
        Counts() {
            this(new LongAdder(), new LongAdder(), new LongAdder(), new LongAdder(), new LongAdder());
        }

        void change(char operation) {
            LongAdder counter =
                    switch (operation) {
                        case ChangeSchemas.CREATE -> insert;
                        case ChangeSchemas.UPDATE -> update;
                        case ChangeSchemas.DELETE -> delete;
                        default -> truncate;
                    };
            counter.increment();
        }
    }

    public void rowsRead(TableId table, long rows) {
        of(table).read.add(rows);
    }

    /** The changes of one table. */
    public interface Changes {
        /** @param operation one of {@link ChangeSchemas} */
        void count(char operation);
    }

    public Changes changes(TableId table) {
        return of(table)::change;
    }

    public List<Captured> captured() {
        return tables.entrySet().stream()
                .map(entry -> {
                    Counts counts = entry.getValue();
                    return new Captured(
                            entry.getKey(),
                            counts.read.sum(),
                            counts.insert.sum(),
                            counts.update.sum(),
                            counts.delete.sum(),
                            counts.truncate.sum());
                })
                .toList();
    }

    private Counts of(TableId table) {
        Counts known = tables.get(table);
        return known != null ? known : tables.computeIfAbsent(table, t -> new Counts());
    }
}
