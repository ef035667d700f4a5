package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.util.List;
import java.util.Objects;

/**
 * What Wherry has done to the schema of the first target. The events in their order make the same schema on another target, without
 * the source. Record of the control topic with key {@value #KEY}, in {@link Pieces}.
 *
 * @param generation of the flow, from 1
 * @param asOf the end of the source's log when the need was first seen; zero = with the first copy
 * @param object what the event is about, in words; of {@link Kind#FOLLOWED}, {@code "no "} and the words of another event take that
 *     one back
 * @param tables that the event makes, drops or alters
 * @param script statements that were run at once, as one text
 * @param relaxes whether the script only permits more
 * @param waiting statements that wait until tables are loaded or switched
 * @param database of the target on which the statements were prepared; some statements name it
 * @param searchPath the source's own setting of its database; empty = none
 */
public record SchemaEvent(
        int generation,
        Kind kind,
        Lsn asOf,
        String object,
        List<TableId> tables,
        String script,
        boolean relaxes,
        List<Waiting> waiting,
        String database,
        String searchPath) {
    /** Key of these records in the control topic. */
    public static final String KEY = "schema";

    public SchemaEvent {
        Generations.require(generation);
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(asOf, "asOf");
        tables = List.copyOf(tables);
        waiting = List.copyOf(waiting);
    }

    /** The kind of an event. */
    public enum Kind {
        /** The first copy of the source's schema. Nothing before it counts. */
        CREATED,
        /** The target's tables are the operator's; Wherry makes none. Nothing before it counts. */
        EXISTING,
        /** Tables and sequences that were new on the source. */
        ADDED,
        /** Tables whose name now belongs to another table. */
        DROPPED,
        /** A part of a table that was altered on the source. */
        FOLLOWED,
        /** The statements for the switch, in the place of all earlier ones. */
        DEFERRED
    }

    /**
     * A statement that waits.
     *
     * @param stage when it runs, as in {@code wherry.ddl}
     * @param table that it belongs to; null = none
     */
    public record Waiting(String stage, String kind, String name, TableId table, String sql) {}

    /** Tables that were dropped, because their name now belongs to another table. */
    public static SchemaEvent dropped(int generation, List<TableId> tables) {
        return new SchemaEvent(generation, Kind.DROPPED, Lsn.ZERO, "", tables, "", false, List.of(), "", "");
    }

    /** A part of a table that was altered. */
    public static SchemaEvent followed(
            int generation, Lsn asOf, String object, TableId table, String sql, boolean relaxes) {
        return new SchemaEvent(
                generation, Kind.FOLLOWED, asOf, object, List.of(table), sql, relaxes, List.of(), "", "");
    }

    /** The statements for the switch. */
    public static SchemaEvent deferred(int generation, Lsn asOf, List<Waiting> waiting, String database) {
        return new SchemaEvent(generation, Kind.DEFERRED, asOf, "", List.of(), "", false, waiting, database, "");
    }
}
