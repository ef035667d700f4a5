package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.cli.KafkaPreflight;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.Finding;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.rehearsal.fixture.SharedBroker;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The operator's own broker, with its own limits. */
final class BrokerLimitsTest {
    private static final String LIMIT = "transaction.max.timeout.ms";

    @Test
    void aBrokerLimitThatIsTooLowForLargeTransactionsIsReportedBeforeTheStart() {
        try (ChildProcesses processes = new ChildProcesses();
                EmbeddedKafka kafka = EmbeddedKafka.start(
                        processes,
                        processes.temporaryDirectory("wherry-limits"),
                        Map.of(LIMIT, "60000"),
                        Optional.empty())) {
            Migration migration = MigrationFile.parse("""
                    name: limits
                    source: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                    target: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                    """, Map.of())
                    .withServers(kafka.clientProperties(), SharedBroker.registryUrl());
            assertThat(KafkaPreflight.check(migration)).singleElement().satisfies(finding -> {
                assertThat(finding.severity()).isEqualTo(Finding.Severity.WARNING);
                assertThat(finding.explained())
                        .contains(
                                "kafka " + LIMIT, "within 60 s", "set " + LIMIT + "=86400000 in the server.properties");
            });
        }
        Migration shared = MigrationFile.parse("""
                name: limits
                source: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                target: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                """, Map.of())
                .withServers(SharedBroker.clientProperties(), SharedBroker.registryUrl());
        assertThat(KafkaPreflight.check(shared)).as("the remedy helps").isEmpty();
    }
}
