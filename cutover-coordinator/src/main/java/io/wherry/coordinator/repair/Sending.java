package io.wherry.coordinator.repair;

import java.util.List;

/** What became of a transaction that was to send rows. */
public sealed interface Sending {
    /**
     * The transaction has committed, or had nothing to send.
     *
     * @param keys whose rows, or the absence of whose rows, were sent
     * @param absent those of the keys that had no row; nothing has locked these
     * @param tooLarge keys of rows that no message can hold
     */
    record Sent(List<List<String>> keys, List<List<String>> absent, List<List<String>> tooLarge) implements Sending {}

    /** Nothing was sent, and another attempt may succeed. */
    record Later(String why) implements Sending {}

    /** Nothing was sent, and every other attempt would fail in the same way. */
    record Refused(String why) implements Sending {}
}
