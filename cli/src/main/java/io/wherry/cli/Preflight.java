package io.wherry.cli;

import io.wherry.contract.config.Flow;
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

/** The preflight of both sides and of the broker. Changes nothing. */
public final class Preflight {
    private Preflight() {}

    public static List<Finding> findings(Migration migration) {
        return findings(
                migration, SourcePreflight.check(Flow.first(migration).groups().get(0)));
    }

    private static List<Finding> findings(Migration migration, List<Finding> source) {
        List<Finding> findings = new ArrayList<>(source);
        findings.addAll(TargetPreflight.check(Flow.first(migration)));
        findings.addAll(KafkaPreflight.check(migration));
        // The checks of both sides read the source, so they may report the same finding.
        return once(findings);
    }

    /** Without repeated lines. Each line keeps the more severe of its severities. */
    public static List<Finding> once(List<Finding> findings) {
        Map<String, Finding> byLine = new LinkedHashMap<>();
        findings.forEach(finding -> byLine.merge(
                finding.explained(),
                finding,
                (first, second) -> first.severity().compareTo(second.severity()) <= 0 ? first : second));
        return List.copyOf(byLine.values());
    }

    /**
     * If a migration has already started, a problem of a single table stops only that table.
     *
     * @throws ConfigurationException with all errors, when there are any
     */
    public static void require(Migration migration) {
        List<Finding> findings = CutoverCoordinator.hasStarted(Flow.first(migration))
                ? findings(
                        migration,
                        SourcePreflight.checkStarted(
                                Flow.first(migration).groups().get(0)))
                : findings(migration);
        List<Finding> errors =
                findings.stream().filter(f -> f.severity() == Severity.ERROR).toList();
        if (!errors.isEmpty()) {
            throw new ConfigurationException(errors);
        }
    }
}
