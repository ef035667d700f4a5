package io.wherry.contract.error;

/**
 * A failure that says what was being done, to what, and what to do now. The subtypes tell who can help: nobody needs to
 * (retryable), a twin has taken over (fenced), the data or the state must be looked at (data), the operator must change
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
