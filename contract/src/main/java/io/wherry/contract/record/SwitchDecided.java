package io.wherry.contract.record;

import io.wherry.contract.config.Flow;

/**
 * The switch row is committed on the target: the source-connector ends and captures nothing more. Record of the control topic,
 * written by the coordinator.
 *
 * @param generation that the switch has ended, from 1
 * @param at when the cutover started, ISO 8601; for display
 */
public record SwitchDecided(int generation, String at) {
    public SwitchDecided {
        Generations.require(generation);
    }

    /** Key of this record in the control topic. */
    public static final String KEY = "switched";

    /**
     * The message of a service that ends after the switch.
     *
     * @param service name of the service
     * @param done what the service does with rows, such as {@code applied}
     */
    public static String ends(String service, String done, Flow flow) {
        return "The cutover of " + flow.migration().name() + " has switched to " + flow.to() + ". This " + service
                + " ends; nothing more is " + done + ". Rows written to " + flow.from()
                + " from now on reach neither the topics nor the target: point every application at the target. Do not start"
                + " this service again; docs/operations.md, After the cutover, says what to remove. To migrate from that"
                + " database again, use another name";
    }
}
