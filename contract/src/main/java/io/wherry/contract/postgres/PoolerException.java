package io.wherry.contract.postgres;

import java.sql.SQLException;

/**
 * A session was not opened because a connection pooler answers in the server's place. Through one, settings are lost or another
 * session's, advisory locks and snapshots end with a transaction, and the fence cannot tell whose session is whose.
 */
public final class PoolerException extends SQLException {
    private static final String CONNECTION_REJECTED = "08004";

    /** @param name of the pooler, as far as it is known */
    PoolerException(String name, String answer, SQLException cause) {
        super(
                name + " answers in the server's place, " + answer + ", and our sessions need the server itself",
                CONNECTION_REJECTED,
                cause);
    }

    /** The pooler's own refusal of our start-up options; null when the failure is another. */
    static PoolerException of(SQLException failure) {
        String message = String.valueOf(failure.getMessage());
        if (message.contains("unsupported startup parameter")) {
            return new PoolerException("PgBouncer", "which does not take a session's options", failure);
        }
        if (message.contains("command-line options")) {
            return new PoolerException("a connection pooler", "which does not take a session's options", failure);
        }
        return null;
    }

    /** @param setting that names the address: {@code source.url} */
    public String remedy(String setting) {
        return "Give the server's own host and port in " + setting + "; the applications may go on using the pooler";
    }
}
