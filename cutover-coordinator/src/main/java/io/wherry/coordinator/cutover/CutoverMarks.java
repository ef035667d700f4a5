package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.SwitchDecided;
import io.wherry.coordinator.watch.ControlReader;
import io.wherry.coordinator.watch.ControlWriter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FenceProducersOptions;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads and writes {@link CutoverMark}s. The writer is kept from a cutover's first mark on: in the window there is no time to make one. */
final class CutoverMarks implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CutoverMarks.class);
    private static final int FENCE_MILLIS = 10_000;

    private final Migration migration;
    private ControlWriter writer;

    CutoverMarks(Migration migration) {
        this.migration = migration;
    }

    /** @throws RetryableException when Kafka does not take it in time */
    void write(CutoverMark mark) {
        write(CutoverMark.KEY, mark);
    }

    private synchronized void write(String key, Object value) {
        if (writer == null) {
            writer = new ControlWriter(migration);
        }
        writer.write(key, value);
    }

    /**
     * Writes the mark of a cutover whose switch row is committed, and ends capturing for good: first the record that every
     * source-connector reads once it has become able to publish, then the fence against those that were able before.
     *
     * @throws RetryableException when Kafka does not take it in time
     */
    void writeSwitched(CutoverMark mark) {
        write(mark);
        write(SwitchDecided.KEY, new SwitchDecided(mark.at()));
        String id = migration.topics().changesTransactionalId();
        try (Admin admin = KafkaClients.admin(migration)) {
            admin.fenceProducers(List.of(id), new FenceProducersOptions().timeoutMs(FENCE_MILLIS))
                    .all()
                    .get();
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof AuthorizationException)) {
                throw unreachable(id, e.getCause());
            }
            LOG.warn(
                    "The source-connector reads within a second that it ends, but is not kept from writing until then: {}",
                    e.getCause().getMessage());
        } catch (KafkaException e) {
            throw unreachable(id, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unreachable(id, e);
        }
    }

    private static RetryableException unreachable(String id, Throwable cause) {
        return new RetryableException(
                "end the producer", id, String.valueOf(cause.getMessage()), "Check that Kafka is up", cause);
    }

    /**
     * The last one, empty before the first cutover.
     *
     * @throws RetryableException when Kafka cannot be asked
     */
    Optional<CutoverMark> last() {
        return ControlReader.last(migration, CutoverMark.KEY).map(value -> Json.read(value, CutoverMark.class));
    }

    @Override
    public synchronized void close() {
        if (writer != null) {
            writer.close();
            writer = null;
        }
    }
}
