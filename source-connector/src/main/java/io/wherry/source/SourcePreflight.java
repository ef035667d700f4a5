package io.wherry.source;

import io.wherry.contract.Finding;
import io.wherry.contract.Migration;
import java.util.List;

/** x. */
public final class SourcePreflight {
    private SourcePreflight() {}

    /** x. */
    public static List<Finding> check(Migration migration) {
        return List.of();
    }
}
