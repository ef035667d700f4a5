package io.wherry.contract.error;

import java.util.List;
import java.util.stream.Collectors;

/** The operator must change something before anything can start. Holds every problem found, not only the first. */
public final class ConfigurationException extends WherryException {
    private final List<Finding> findings;

    public ConfigurationException(List<Finding> findings) {
        super("configuration", "", lines(findings), "", null);
        this.findings = List.copyOf(findings);
    }

    public ConfigurationException(String object, String problem, String remedy) {
        this(List.of(Finding.error(object, problem, remedy)));
    }

    public List<Finding> findings() {
        return findings;
    }

    private static String lines(List<Finding> findings) {
        return findings.stream().map(Finding::explained).collect(Collectors.joining("\n"));
    }
}
