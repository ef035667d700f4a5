package io.wherry.coordinator.journal;

/** What can happen to a migration. */
public enum Event {
    /** Every chunk of every table is on the target. */
    ALL_LOADED,
    /** The source-connector started a later load of some table, or the plan gained a table. */
    LOAD_INCOMPLETE,
    /** Every table has its keys and indexes. */
    ALL_INDEXED,
    /** The lag stayed under the limit for long enough. */
    STABLE,
    /** The lag rose over the limit or became unknown, or a table stopped. */
    UNSTABLE,
    /** The operator asks for the cutover. */
    CUTOVER,
    /** Every step of the state is done. */
    DONE,
    /** A failure, the deadline, a restart or the operator ends the cutover before the switch row. */
    ABORT
}
