package io.wherry.contract.error;

/**
 * A failure with the operation, its object and the remedy. Each subtype says who can help: no action is needed (retryable),
 * another instance has taken over (fenced), the operator must check the data or the state (data), the operator must change
 * something before anything starts (configuration), the process must end and be started again (stuck).
 */
public abstract sealed class WherryException extends RuntimeException
        permits ConfigurationException, RetryableException, FencedException, DataException, StuckException {
    private final String hint;

    protected WherryException(String operation, String object, String problem, String hint, Throwable cause) {
        super(operation + (object.isEmpty() ? "" : " " + object) + ": " + problem, cause);
        this.hint = hint;
    }

    /** What the operator can do now, one sentence. */
    public String hint() {
        return hint;
    }

    /** Message and hint in one line. */
    public String explained() {
        return Sentence.of(getMessage(), hint);
    }
}
