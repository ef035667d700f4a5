package io.wherry.coordinator.dump;

/** No {@code pg_dump} was found that is new enough. The message contains the remedy. */
public final class PostgresToolsException extends RuntimeException {
    public PostgresToolsException(String message) {
        super(message);
    }
}
