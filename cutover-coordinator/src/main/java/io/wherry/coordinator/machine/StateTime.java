package io.wherry.coordinator.machine;

import io.wherry.coordinator.journal.State;

/** One stay in a state. @param seconds how long it lasted; for the present state, so far */
public record StateTime(State state, double seconds) {}
