package io.wherry.rehearsal;

import io.wherry.contract.ConfigurationException;
import io.wherry.contract.Finding;
import io.wherry.contract.Finding.Severity;
import io.wherry.contract.Migration;
import io.wherry.coordinator.TargetPreflight;
import io.wherry.source.SourcePreflight;
import java.util.ArrayList;
import java.util.List;

/** Both sides' preflight together. Changes nothing. */
public final class Preflight {
    private Preflight() {}

    public static List<Finding> findings(Migration migration) {
        List<Finding> findings = new ArrayList<>(SourcePreflight.check(migration));
        findings.addAll(TargetPreflight.check(migration));
        findings.addAll(KafkaPreflight.check(migration));
        return findings;
    }

    /** @throws ConfigurationException when anything stands in the way, with all of it */
    public static void require(Migration migration) {
        List<Finding> errors = findings(migration).stream()
                .filter(f -> f.severity() == Severity.ERROR)
                .distinct()
                .toList();
        if (!errors.isEmpty()) {
            throw new ConfigurationException(errors);
        }
    }
}
