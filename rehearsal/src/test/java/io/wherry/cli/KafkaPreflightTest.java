package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.error.Finding;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("no-servers")
class KafkaPreflightTest {
    @Test
    void aTransactionThatTheBrokerWouldNeverAcceptIsReportedByCheck() {
        assertThat(KafkaPreflight.transactionLimit(Duration.ofMinutes(15)).map(Finding::explained))
                .hasValueSatisfying(line -> assertThat(line)
                        .contains("within 900 s: about 18 million rows")
                        .contains("transaction.max.timeout.ms=86400000"));
        assertThat(KafkaPreflight.transactionLimit(Duration.ofHours(24))).isEmpty();
    }
}
