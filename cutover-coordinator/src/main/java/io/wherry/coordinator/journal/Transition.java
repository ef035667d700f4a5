package io.wherry.coordinator.journal;

/** One arrow of the state machine. */
public record Transition(State from, Event event, State to) {}
