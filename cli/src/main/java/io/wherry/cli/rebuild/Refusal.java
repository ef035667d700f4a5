package io.wherry.cli.rebuild;

import io.wherry.contract.error.Finding;
import java.util.List;

/** Why the topics cannot make another target. Nothing was written. */
public final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient List<Finding> findings;

    Refusal(List<Finding> findings) {
        super(String.join("\n", findings.stream().map(Finding::explained).toList()));
        this.findings = List.copyOf(findings);
    }

    Refusal(String object, String problem, String remedy) {
        this(List.of(Finding.error(object, problem, remedy)));
    }

    /** Every reason that was found. */
    public List<Finding> findings() {
        return findings;
    }
}
