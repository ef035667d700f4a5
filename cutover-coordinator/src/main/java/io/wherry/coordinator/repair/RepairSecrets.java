package io.wherry.coordinator.repair;

import io.wherry.contract.config.Migration;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.watch.ControlTopicReader;
import io.wherry.coordinator.watch.ControlTopicWriter;
import java.util.Optional;

/** The secret that proves repairs, in the control topic. */
public final class RepairSecrets {
    private RepairSecrets() {}

    /**
     * The migration's secret. It is created at the first call.
     *
     * @throws io.wherry.contract.error.RetryableException when Kafka does not answer
     */
    public static RepairSecret of(Migration migration) {
        Optional<byte[]> known = ControlTopicReader.last(migration, RepairSecret.KEY);
        if (known.isPresent()) {
            return Json.read(known.get(), RepairSecret.class);
        }
        RepairSecret created = RepairSecret.random();
        try (ControlTopicWriter control = new ControlTopicWriter(migration)) {
            control.write(RepairSecret.KEY, created);
        }
        return created;
    }
}
