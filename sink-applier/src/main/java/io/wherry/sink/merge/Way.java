package io.wherry.sink.merge;

/**
 * How the events of a table become statements. What the target refuses in one way is written in the next one; only what it
 * refuses in the last way is refused for good.
 */
public enum Way {
    /** Runs of new rows by COPY, the rest as in {@link #MERGED}. A row that exists already is refused. */
    COPY,
    /** Few statements, whatever the order of the events; a row that exists already is updated. */
    MERGED,
    /** A statement for each event, in their order. */
    SINGLY
}
