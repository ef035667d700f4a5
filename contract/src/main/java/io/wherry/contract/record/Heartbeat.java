package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * A transaction that contains only a logical message. It moves the slot on an idle database. Once the position in Kafka has
 * reached its LSN, everything committed before it is in Kafka: heartbeat and sentinel are the same thing.
 *
 * <p>The message is transactional, so that it travels on every version: from 14 on pgoutput sends the message; before 14 it sends
 * the transaction without contents (seen on 10, 11 and 13).
 *
 * <p>Its commit waits for no standby. Otherwise a standby that does not answer would block the session that holds the instance
 * lock until the session's network time-out. That would end the term, and leave the lock with a session that still waits.
 */
public final class Heartbeat {
    private Heartbeat() {}

    /** Writes a heartbeat on the source and returns its LSN; the commit that follows has a higher LSN. */
    public static Lsn emit(Connection source) throws SQLException {
        try (Statement statement = source.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT pg_catalog.pg_logical_emit_message(true, 'wherry', 'heartbeat')::text,"
                                + " pg_catalog.set_config('synchronous_commit', 'local', true)")) {
            row.next();
            return Lsn.parse(row.getString(1));
        }
    }
}
