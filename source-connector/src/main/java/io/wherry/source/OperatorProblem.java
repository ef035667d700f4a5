package io.wherry.source;

import io.wherry.contract.error.DataException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The problem that stops capturing until the operator acts, because no further attempt can succeed. Safe for use by several threads.
 */
final class OperatorProblem {
    private static final Logger LOG = LoggerFactory.getLogger(OperatorProblem.class);

    private volatile String text;

    void declare(DataException e) {
        if (text == null) {
            LOG.error("{}", e.explained());
        }
        text = e.explained();
    }

    void clear() {
        text = null;
    }

    /** The problem in words; null = none. */
    String text() {
        return text;
    }
}
