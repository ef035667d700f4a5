package io.wherry.contract.error;

/** What stands on a server or in a topic contradicts what must hold. Going on could lose or alter rows, so a person must look. */
public final class DataException extends WherryException {
    public DataException(String operation, String object, String problem, String hint, Throwable cause) {
        super(operation, object, problem, hint, cause);
    }

    public DataException(String operation, String object, String problem, String hint) {
        this(operation, object, problem, hint, null);
    }
}
