package io.wherry.coordinator.journal;

/** The state of a migration. */
public enum State {
    /** Rows are being copied. */
    LOADING,
    /** All rows are on the target; keys and indexes are being built. */
    INDEXING,
    /** Changes are applied, the target is behind. */
    CATCHING_UP,
    /** The target has been close behind for long enough: cutover may begin. */
    IN_SYNC,
    /** Other roles are being kept out of the source. */
    FENCING,
    /** The last commits of the source travel to the target. */
    DRAINING,
    /** Both sides are compared. */
    VERIFYING,
    /** Foreign keys, triggers and sequences are put on the target; ends with the switch row, in the same transaction. */
    PREPARING_TARGET,
    /** Past the point of no return: the applications are being moved. */
    SWITCHING,
    /** The target serves. */
    COMPLETED,
    /** The source is being opened again. */
    ABORTING;

    /** Fenced but not yet switched: any failure here leads to ABORTING. */
    public boolean inWindow() {
        return this == FENCING || this == DRAINING || this == VERIFYING || this == PREPARING_TARGET;
    }

    /** Which side applications may write to: {@code source}, {@code target} or {@code none}. */
    public String servedBy() {
        return switch (this) {
            case LOADING, INDEXING, CATCHING_UP, IN_SYNC -> "source";
            case FENCING, DRAINING, VERIFYING, PREPARING_TARGET, SWITCHING, ABORTING -> "none";
            case COMPLETED -> "target";
        };
    }
}
