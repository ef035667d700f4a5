package io.wherry.coordinator.cutover;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** What the operator may say that does not prevent a cutover. */
public enum Force {
    /** A comparison in the window that is expected to take long, and tables whose proof is old. Never a difference that was found. */
    VERIFY;

    /** The value of this name, as {@link #text} writes it; empty = there is none. */
    public static Optional<Force> of(String text) {
        return Stream.of(values()).filter(force -> force.text().equals(text)).findFirst();
    }

    /** Its name in commands, requests and the journal. */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Line of the plan for an obstacle that does not count. */
    public String overrides(String obstacle) {
        return "FORCED (" + text() + "): " + obstacle;
    }

    /** What the journal records of a cutover: nothing unless something was forced. */
    public static Map<String, List<String>> detail(Set<Force> forced) {
        return forced.isEmpty()
                ? Map.of()
                : Map.of("forced", forced.stream().map(Force::text).sorted().toList());
    }
}
