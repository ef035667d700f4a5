package io.wherry.embedded;

/** An embedded server, or something it needs, is not available. The message names the operation, the object and a remedy. */
public final class ServerException extends RuntimeException {
    public ServerException(String message) {
        super(message);
    }

    public ServerException(String message, Throwable cause) {
        super(message, cause);
    }
}
