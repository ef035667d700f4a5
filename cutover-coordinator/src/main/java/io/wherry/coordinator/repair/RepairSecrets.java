package io.wherry.coordinator.repair;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.watch.ControlTopicReader;
import io.wherry.coordinator.watch.ControlTopicWriter;
import java.util.Optional;

/** The secret that proves repairs, in the control topic. */
public final class RepairSecrets {
    private RepairSecrets() {}

    /**
     * The migration's secret. It is created at the first call. Of several secrets the last one in the topic counts, for the
     * source-connector too.
     *
     * @throws RetryableException when Kafka does not answer
     */
    public static synchronized RepairSecret of(Migration migration) {
        // One at a time: two first orders would create two secrets, and the messages of one of them would not be taken.
        Optional<RepairSecret> known = last(migration);
        if (known.isPresent()) {
            return known.get();
        }
        try (ControlTopicWriter control = new ControlTopicWriter(migration)) {
            control.write(RepairSecret.KEY, RepairSecret.random());
        }
        return last(migration)
                .orElseThrow(() -> new RetryableException(
                        "create the secret of repairs",
                        migration.topics().control(),
                        "the topic does not hold what was written",
                        "Order the repair again"));
    }

    private static Optional<RepairSecret> last(Migration migration) {
        return ControlTopicReader.last(migration, RepairSecret.KEY).map(value -> Json.read(value, RepairSecret.class));
    }
}
