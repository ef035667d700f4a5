package io.wherry.contract.error;

/**
 * A failure that passes by itself (connection lost, server restarting): the service repeats the step from its last checkpoint.
 */
public final class RetryableException extends WherryException {
    public RetryableException(String operation, String object, String problem, String hint, Throwable cause) {
        super(operation, object, problem, hint, cause);
    }

    public RetryableException(String operation, String object, String problem, String hint) {
        this(operation, object, problem, hint, null);
    }
}
