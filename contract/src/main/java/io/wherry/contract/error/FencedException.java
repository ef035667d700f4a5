package io.wherry.contract.error;

/** Another instance of the same service has taken over: this one must stop without writing anything more. */
public final class FencedException extends WherryException {
    public FencedException(String operation, String object, String problem, String hint, Throwable cause) {
        super(operation, object, problem, hint, cause);
    }

    public FencedException(String operation, String object, String problem, String hint) {
        this(operation, object, problem, hint, null);
    }
}
