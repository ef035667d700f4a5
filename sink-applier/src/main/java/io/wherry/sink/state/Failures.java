package io.wherry.sink.state;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.postgres.Sessions;
import java.sql.SQLException;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.WakeupException;

/** Which failures pass by themselves, and which need the operator. */
public final class Failures {
    private Failures() {}

    /**
     * @param operation what was being done to {@code object}
     * @return the failure itself if it is already a {@link WherryException}
     */
    public static WherryException explain(String operation, String object, Throwable failure) {
        if (failure instanceof WherryException known) {
            return known;
        }
        if (failure instanceof SQLException sql && isRetryable(Sessions.state(sql))
                || failure instanceof RetriableException
                || failure instanceof WakeupException) {
            return new RetryableException(operation, object, failure.getMessage(), "", failure);
        }
        if (failure instanceof InvalidOffsetException) {
            return new DataException(
                    operation,
                    object,
                    "a topic no longer holds the records after the checkpoint: " + failure.getMessage(),
                    "Set the topic's retention to unlimited, then wherry reload --all",
                    failure);
        }
        return new DataException(operation, object, describe(failure), hint(failure), failure);
    }

    /** As {@link #explain}, for the first session: the operator must correct a wrong password or database. */
    public static WherryException explainLogin(Endpoint target, SQLException failure) {
        String state = Sessions.state(failure);
        return state.startsWith("28") || state.equals("3D000")
                ? new ConfigurationException(
                        "target", failure.getMessage(), "Check target.url, target.user and target.password")
                : explain("log in to", target.toString(), failure);
    }

    /** PostgreSQL documentation, appendix A: connection, resources, shutdown, cancel, lock and serialization failures. */
    public static boolean isRetryable(String state) {
        return state.startsWith("08")
                || state.startsWith("28")
                || state.startsWith("53")
                || state.startsWith("57P0")
                || switch (state) {
                    // 25006: a standby before its promotion. 57014: another session or a timeout cancelled the
                    // statement.
                    case "40001", "40P01", "25006", "55P03", "57014" -> true;
                    default -> false;
                };
    }

    private static String describe(Throwable failure) {
        return failure.getMessage() == null ? failure.toString() : failure.getMessage();
    }

    private static String hint(Throwable failure) {
        return failure instanceof SQLException sql
                ? "The target refused the statement (SQLSTATE " + Sessions.state(sql)
                        + "); change the target so that it accepts the statement, then wherry retry"
                : "";
    }
}
