package io.wherry.contract.config;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A direction as a value: which side serves the applications and is captured, and which side follows. The services get a
 * flow, and none of them asks which side is called the source in the file.
 *
 * <p>Generation 1 runs from the source to the target. Each switch of traffic ends a generation.
 *
 * @param generation from 1
 * @param from the side that serves and is captured
 * @param to the side that changes are applied to; schema {@code wherry} there holds the flow's state
 */
public record Flow(Migration migration, int generation, Endpoint from, Endpoint to) {
    /** Of the flow from the source to the target, before any switch. */
    public static final int FIRST_GENERATION = 1;

    /** From the source to the target, before any switch. */
    public static Flow first(Migration migration) {
        return new Flow(migration, FIRST_GENERATION, migration.source(), migration.target());
    }

    /** The captures of the flow, in the order of their numbers. One by default. */
    public List<CaptureGroup> groups() {
        return List.of(new CaptureGroup(this, 0));
    }

    /** Names of the publications that the groups read. */
    public Set<String> publications() {
        return groups().stream().map(CaptureGroup::publication).collect(Collectors.toSet());
    }

    /**
     * Every transactional id under which the source-connectors of the flow write, except for their status. Each source-connector
     * that starts fences the one before by these ids, and the coordinator fences all of them once the switch row is committed.
     *
     * @param lanes partitions of the load topic
     */
    public List<String> transactionalIds(int lanes) {
        return Stream.of(
                        groups().stream().map(CaptureGroup::transactionalId),
                        Stream.of(migration.topics().controlTransactionalId()),
                        IntStream.range(0, lanes).mapToObj(migration.topics()::loadTransactionalId))
                .flatMap(ids -> ids)
                .toList();
    }
}
