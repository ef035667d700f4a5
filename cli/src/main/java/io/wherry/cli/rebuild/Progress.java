package io.wherry.cli.rebuild;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.wherry.sink.state.TableState;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How far a rebuild is.
 *
 * @param chunks of the load that are on the target, of {@code chunksWanted}
 * @param records of the change topics up to the applied places, of {@code recordsWanted}; markers of Kafka transactions count too
 * @param tables that are complete, of {@code tablesWanted}
 * @param secondsLeft of load and changes, from the rate of this process so far; null = not known yet
 */
public record Progress(
        long chunks,
        long chunksWanted,
        long records,
        long recordsWanted,
        long tables,
        long tablesWanted,
        Long secondsLeft,
        @JsonIgnore Start start) {
    /** Where this process found the target. */
    record Start(long nanos, long chunks, long records) {}

    Progress(Goal goal, long nanos) {
        this(
                0,
                0,
                0,
                goal.ends().stream().mapToLong(Goal.End::offset).sum(),
                0,
                goal.tables().size(),
                null,
                new Start(nanos, -1, 0));
    }

    /** The progress at a later moment. */
    Progress at(Standing standing, long complete, long nanos) {
        long loaded =
                standing.chunks().values().stream().mapToLong(Long::longValue).sum();
        long wanted = standing.tables().values().stream()
                .mapToLong(TableState::chunks)
                .sum();
        Set<String> topics =
                standing.tables().values().stream().map(TableState::topic).collect(Collectors.toSet());
        long applied = standing.checkpoints().entrySet().stream()
                .filter(entry -> topics.contains(entry.getKey().topic()))
                .mapToLong(Map.Entry::getValue)
                .sum();
        Start since = start.chunks() < 0 ? new Start(nanos, loaded, applied) : start;
        long most = Math.min(applied, recordsWanted);
        OptionalLong load = left(loaded - since.chunks(), wanted - loaded, nanos - since.nanos());
        OptionalLong changes = left(most - since.records(), recordsWanted - most, nanos - since.nanos());
        Long seconds =
                load.isPresent() && changes.isPresent() ? Long.valueOf(load.getAsLong() + changes.getAsLong()) : null;
        return new Progress(loaded, wanted, most, recordsWanted, complete, tablesWanted, seconds, since);
    }

    private static OptionalLong left(long done, long open, long nanos) {
        if (open <= 0) {
            return OptionalLong.of(0);
        }
        return done <= 0 ? OptionalLong.empty() : OptionalLong.of((long) (nanos / 1e9 * open / done));
    }
}
