package io.wherry.contract.record;

import io.wherry.contract.config.Migration;

/**
 * The switch row is committed on the target: the source-connector ends and captures nothing more. Record of the control topic,
 * written by the coordinator.
 *
 * @param at when the cutover began, ISO 8601; for people
 */
public record SwitchDecided(String at) {
    /** Key of this record in the control topic. */
    public static final String KEY = "switched";

    /**
     * What a service says that ends after the switch.
     *
     * @param service by its name
     * @param done what it does with rows, such as {@code applied}
     */
    public static String ends(String service, String done, Migration migration) {
        return "The cutover of " + migration.name() + " has switched to " + migration.target() + ": this " + service
                + " ends, nothing more is " + done + ". Rows written to " + migration.source()
                + " from now on reach neither the topics nor the target: point every application at the target. Do not start"
                + " this service again; docs/operations.md, After the cutover, says what to remove. To migrate from that"
                + " database again, use another name";
    }
}
