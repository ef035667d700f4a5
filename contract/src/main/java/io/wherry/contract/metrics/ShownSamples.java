package io.wherry.contract.metrics;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Samples as meters: a meter exists as long as its value is known. For one thread at a time. */
public final class ShownSamples {
    private final MeterRegistry registry;
    private final Map<Key, Shown> shown = new HashMap<>();

    public ShownSamples(MeterRegistry registry) {
        this.registry = registry;
    }

    private record Key(String name, Tags tags) {}

    /** A meter and its present value. */
    private static final class Shown {
        private Meter meter;
        private volatile double value;

        double value() {
            return value;
        }
    }

    /** From now on the registry has these values, and none that was shown before. */
    public void show(List<Sample> samples) {
        Set<Key> known = new HashSet<>();
        for (Sample sample : samples) {
            Key key = new Key(sample.name(), sample.tags());
            known.add(key);
            shown.computeIfAbsent(key, absent -> registered(sample)).value = sample.value();
        }
        shown.entrySet().removeIf(entry -> {
            boolean unknown = !known.contains(entry.getKey());
            if (unknown) {
                registry.remove(entry.getValue().meter);
            }
            return unknown;
        });
    }

    private Shown registered(Sample sample) {
        Shown added = new Shown();
        added.meter = sample.counts()
                ? FunctionCounter.builder(sample.name(), added, Shown::value)
                        .description(sample.says())
                        .tags(sample.tags())
                        .register(registry)
                : Gauge.builder(sample.name(), added, Shown::value)
                        .baseUnit(sample.unit().isEmpty() ? null : sample.unit())
                        .description(sample.says())
                        .tags(sample.tags())
                        .register(registry);
        return added;
    }
}
