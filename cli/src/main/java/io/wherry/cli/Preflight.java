package io.wherry.cli;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Finding.Severity;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.preflight.TargetPreflight;
import io.wherry.source.check.SourcePreflight;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Both sides' preflight together. Changes nothing. */
public final class Preflight {
    private Preflight() {}

    public static List<Finding> findings(Migration migration) {
        return findings(migration, SourcePreflight.check(migration));
    }

    private static List<Finding> findings(Migration migration, List<Finding> source) {
        List<Finding> findings = new ArrayList<>(source);
        findings.addAll(TargetPreflight.check(migration));
        findings.addAll(KafkaPreflight.check(migration));
        // Both look at the source.
        return once(findings);
    }

    /** Without lines that two checks say, each as the more severe one does. */
    public static List<Finding> once(List<Finding> findings) {
        Map<String, Finding> byLine = new LinkedHashMap<>();
        findings.forEach(finding -> byLine.merge(
                finding.explained(),
                finding,
                (first, second) -> first.severity().compareTo(second.severity()) <= 0 ? first : second));
        return List.copyOf(byLine.values());
    }

    /**
     * Of a migration that has begun, what is wrong with single tables stops these alone.
     *
     * @throws ConfigurationException when anything stands in the way, with all of it
     */
    public static void require(Migration migration) {
        List<Finding> findings = CutoverCoordinator.hasBegun(migration)
                ? findings(migration, SourcePreflight.checkStarted(migration))
                : findings(migration);
        List<Finding> errors =
                findings.stream().filter(f -> f.severity() == Severity.ERROR).toList();
        if (!errors.isEmpty()) {
            throw new ConfigurationException(errors);
        }
    }
}
