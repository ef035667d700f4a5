package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;

/** A witness and its successor read at the same time, each by a slot of its own. */
enum Seat {
    FIRST("1", ""),
    SECOND("2", "2");

    /** What the purposes of all seats begin with; a session for other work must have another one. */
    static final String PURPOSES = "witness";

    private final String number;
    private final String suffix;

    Seat(String number, String suffix) {
        this.number = number;
        this.suffix = suffix;
    }

    /** Purpose of the session. */
    String purpose() {
        return PURPOSES + " " + number;
    }

    /** Name of the slot: at most 63 bytes, because a migration's name has at most 40. */
    String slot(Flow flow) {
        return flow.groups().get(0).slot() + "_witness" + suffix;
    }

    Seat other() {
        return this == FIRST ? SECOND : FIRST;
    }
}
