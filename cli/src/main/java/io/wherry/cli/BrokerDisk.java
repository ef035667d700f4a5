package io.wherry.cli;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Metrics;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** How much disk the embedded broker has left, as meters of the process: its topics have no retention limit. */
final class BrokerDisk implements AutoCloseable {
    private final Path directory;
    private final List<Meter> meters;

    /** Reads the space of a file store, bytes. */
    private interface Reading {
        long bytes(FileStore store) throws IOException;
    }

    /** @param directory of the broker's data */
    BrokerDisk(Path directory) {
        this.directory = directory;
        this.meters = List.of(
                gauge("free", "Disk that the embedded broker can still use", FileStore::getUsableSpace),
                gauge("total", "Size of the disk that holds the embedded broker's data", FileStore::getTotalSpace));
    }

    private Meter gauge(String what, String says, Reading reading) {
        return Gauge.builder("wherry.broker.disk." + what, () -> read(reading))
                .baseUnit("bytes")
                .description(says)
                .register(Metrics.globalRegistry);
    }

    private double read(Reading reading) {
        try {
            return reading.bytes(Files.getFileStore(directory));
        } catch (IOException e) {
            return Double.NaN;
        }
    }

    @Override
    public void close() {
        meters.forEach(Metrics.globalRegistry::remove);
    }
}
