package io.wherry.contract.service;

/** An effect of a service that outlives the service: a crash may come before it or after it, see {@link Failpoints}. */
public enum Effect {
    /** The publication holds the selected tables. */
    PUBLICATION,
    /** The replication slot exists. */
    SLOT,
    /** A load plan is in the control topic. */
    PLAN,
    /** A chunk's trailer is in Kafka. */
    CHUNK,
    /** A Kafka transaction of changes with its position is committed. */
    KAFKA_COMMIT,
    /** The engine knows how far the slot may move. */
    SLOT_ADVANCE,

    /** A sink-applier has the next epoch: its predecessor is fenced. */
    TAKE_OVER,
    /** A load plan is in the target: relations, first checkpoints, earlier rows removed. */
    PLAN_APPLIED,
    /** A chunk's rows and its checkpoint are committed on the target. */
    CHUNK_APPLIED,
    /** A batch of changes and its checkpoints are committed on the target. */
    BATCH_APPLIED,
    /** Group offsets, which only lag tools read, are given to Kafka. */
    GROUP_OFFSETS,

    /** The schema and the journal's first row are on the target. */
    SCHEMA,
    /** A table has its indexes and is declared ready for changes. */
    TABLE_READY,
    /** The source is closed to other roles. */
    FENCE,
    /** The source is open again. */
    UNFENCE,
    /** The applications were moved. */
    TRAFFIC,

    // The journal's row of each state that the coordinator can enter.
    LOADING,
    INDEXING,
    CATCHING_UP,
    IN_SYNC,
    FENCING,
    DRAINING,
    VERIFYING,
    PREPARING_TARGET,
    SWITCHING,
    COMPLETED,
    ABORTING
}
