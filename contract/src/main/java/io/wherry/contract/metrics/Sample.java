package io.wherry.contract.metrics;

import io.micrometer.core.instrument.Tags;

/**
 * One value that is known now. An unknown value is no sample at all, and never zero.
 *
 * @param name in Micrometer's form, such as {@code wherry.slot.retained}
 * @param unit {@code seconds}, {@code bytes}, {@code records}; empty = a plain number
 * @param says what the value means, for people
 * @param counts whether the value only grows, except when what it counts starts over
 */
public record Sample(String name, String unit, String says, Tags tags, double value, boolean counts) {
    /** A value that rises and falls. */
    public static Sample gauge(String name, String unit, String says, Tags tags, double value) {
        return new Sample(name, unit, says, tags, value, false);
    }

    /** A value that only grows. */
    public static Sample counter(String name, String says, Tags tags, double value) {
        return new Sample(name, "", says, tags, value, true);
    }
}
