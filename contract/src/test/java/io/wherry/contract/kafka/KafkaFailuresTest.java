package io.wherry.contract.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.error.FencedException;
import java.time.Duration;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.junit.jupiter.api.Test;

class KafkaFailuresTest {
    private static final Duration LIMIT = Duration.ofMinutes(15);

    @Test
    void aTransactionThatOutlivedTheBrokersLimitIsSaidToHaveDoneSo() {
        var e = new InvalidProducerEpochException("Producer attempted to produce with an old epoch");
        assertThat(KafkaFailures.explainOpen("publish", e, LIMIT.plusSeconds(1), LIMIT))
                .isInstanceOf(FencedException.class)
                .hasMessageContaining("arriving for 901 s, but the broker allows a Kafka transaction only 900 s")
                .satisfies(failure -> assertThat(failure.explained()).contains("transaction.max.timeout.ms=86400000"));
        assertThat(KafkaFailures.explainOpen("publish", e, Duration.ofSeconds(3), LIMIT))
                .hasMessageContaining("has taken over");
    }
}
