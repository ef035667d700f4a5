package io.wherry.coordinator.dump;

/** No {@code pg_dump} that is new enough was found. The message says what to do. */
public final class PostgresToolsException extends RuntimeException {
    public PostgresToolsException(String message) {
        super(message);
    }
}
