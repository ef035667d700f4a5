package io.wherry.coordinator;

/** One stay in a state. @param seconds how long it lasted; for the present state, so far */
public record StateTime(State state, double seconds) {}
