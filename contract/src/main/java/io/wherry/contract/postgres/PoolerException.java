package io.wherry.contract.postgres;

import java.sql.SQLException;

/**
 * A session was not opened because a connection pooler answers in the server's place. Through a pooler, settings are lost or
 * belong to another session, advisory locks and snapshots end with a transaction, and the fence cannot know which session is
 * whose.
 */
public final class PoolerException extends SQLException {
    private static final String CONNECTION_REJECTED = "08004";

    /** @param name of the pooler, as far as it is known */
    PoolerException(String name, String answer, SQLException cause) {
        super(
                name + " answers in the server's place and " + answer + "; Wherry's sessions need the server itself",
                CONNECTION_REJECTED,
                cause);
    }

    /** The pooler's own refusal of Wherry's start-up options; null for any other failure. */
    static PoolerException of(SQLException failure) {
        String message = String.valueOf(failure.getMessage());
        if (message.contains("unsupported startup parameter")) {
            return new PoolerException("PgBouncer", "does not accept a session's options", failure);
        }
        if (message.contains("command-line options")) {
            return new PoolerException("a connection pooler", "does not accept a session's options", failure);
        }
        return null;
    }

    /** @param setting that names the address: {@code source.url} */
    public String remedy(String setting) {
        return "Give the server's own host and port in " + setting
                + "; the applications may continue to use the pooler";
    }
}
