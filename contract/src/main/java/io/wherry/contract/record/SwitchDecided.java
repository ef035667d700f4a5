package io.wherry.contract.record;

/**
 * The switch row is committed on the target: the source-connector ends and captures nothing more. Record of the control topic,
 * written by the coordinator.
 *
 * @param at when the cutover began, ISO 8601; for people
 */
public record SwitchDecided(String at) {
    /** Key of this record in the control topic. */
    public static final String KEY = "switched";
}
