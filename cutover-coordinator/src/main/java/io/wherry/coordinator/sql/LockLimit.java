package io.wherry.coordinator.sql;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;

/**
 * Questions that do not wait behind the lock of another session. Even the size of a table waits for an {@code ACCESS EXCLUSIVE} lock,
 * which a rewrite of the table holds for hours.
 */
public final class LockLimit {
    private static final String LOCK_NOT_AVAILABLE = "55P03";

    private LockLimit() {}

    /** What is asked. */
    public interface Question<T> {
        T ask() throws SQLException;
    }

    /**
     * Asks with a time limit for each lock.
     *
     * @param sessions in auto-commit mode
     * @throws SQLException also when a lock was not free in time: {@link #reached}
     */
    public static <T> T within(Duration limit, Question<T> question, Connection... sessions) throws SQLException {
        try {
            for (Connection session : sessions) {
                Queries.execute(session, "SET lock_timeout = " + limit.toMillis());
            }
            return question.ask();
        } finally {
            for (Connection session : sessions) {
                Queries.execute(session, "RESET lock_timeout");
            }
        }
    }

    /** Whether a question has failed because another session holds a lock. */
    public static boolean reached(SQLException failure) {
        return LOCK_NOT_AVAILABLE.equals(failure.getSQLState());
    }
}
