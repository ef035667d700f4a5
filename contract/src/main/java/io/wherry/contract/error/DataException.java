package io.wherry.contract.error;

/** Data on a server or in a topic contradicts what must hold. To continue could lose or alter rows, so the operator must act. */
public final class DataException extends WherryException {
    public DataException(String operation, String object, String problem, String hint, Throwable cause) {
        super(operation, object, problem, hint, cause);
    }

    public DataException(String operation, String object, String problem, String hint) {
        this(operation, object, problem, hint, null);
    }
}
