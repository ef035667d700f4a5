package io.wherry.contract.kafka;

import io.wherry.contract.error.DataException;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnTimeoutException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RecordTooLargeException;

/** Classifies a failure of Kafka's client by who can help. */
public final class KafkaFailures {
    private KafkaFailures() {}

    /** @param operation what was being done, such as {@code send changes} */
    public static WherryException explain(String operation, Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof ExecutionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        for (Throwable t = cause; t != null; t = t.getCause()) {
            if (t instanceof WherryException ours) {
                return ours;
            }
            if (t instanceof ProducerFencedException || t instanceof InvalidProducerEpochException) {
                return new FencedException(
                        operation,
                        "",
                        "another source-connector of this migration has taken over, or a transaction outlived the broker's"
                                + " transaction.max.timeout.ms",
                        "Nothing to do if another source-connector runs",
                        t);
            }
            if (t instanceof AuthenticationException
                    || t instanceof AuthorizationException
                    || t instanceof InvalidTxnTimeoutException
                    || t instanceof RecordTooLargeException) {
                return new DataException(
                        operation, "", "Kafka refuses: " + t.getMessage(), "Check section kafka and the ACLs", t);
            }
        }
        return new RetryableException(
                operation, "", "Kafka: " + cause.getMessage(), "Check that the broker is reachable", cause);
    }
}
