package io.wherry.coordinator.http;

import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Coordinator;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.machine.Status.Counts;
import io.wherry.coordinator.machine.Status.TableStatus;

/** The status in Prometheus' text format. An unknown value is left out, so that Prometheus treats the value as absent. */
final class Metrics {
    private final StringBuilder text = new StringBuilder();

    private Metrics() {}

    static String text(Coordinator coordinator) {
        Metrics metrics = new Metrics();
        Status status = coordinator.status();
        metrics.type("wherry_state", "gauge");
        for (State state : State.values()) {
            metrics.sample("wherry_state", "state=\"" + state + "\"", state == status.state() ? 1 : 0);
        }
        metrics.gauge("wherry_slot_retained_bytes", status.lag().slotBytes(), 1);
        metrics.gauge("wherry_slot_keep_bytes", status.slot().keepBytes(), 1);
        metrics.gauge("wherry_slot_safe_bytes", status.slot().safeBytes(), 1);
        metrics.gauge("wherry_slot_lost_in_seconds", status.slot().lostInSeconds(), 1);
        if (status.slot().walStatus() != null) {
            metrics.type("wherry_slot_wal_status", "gauge");
            metrics.sample("wherry_slot_wal_status", "status=\"" + status.slot().walStatus() + "\"", 1);
        }
        metrics.gauge("wherry_source_to_kafka_lag_seconds", status.lag().sourceToKafkaMillis(), 1e3);
        metrics.gauge("wherry_kafka_to_target_lag_records", status.lag().kafkaToTargetRecords(), 1);
        metrics.gauge("wherry_end_to_end_lag_seconds", status.lag().endToEndMillis(), 1e3);
        metrics.type("wherry_rows_loaded", "gauge");
        status.tables().forEach(t -> metrics.sample("wherry_rows_loaded", table(t), t.rowsLoaded()));
        metrics.type("wherry_table_stopped", "gauge");
        status.tables()
                .forEach(t -> metrics.sample(
                        "wherry_table_stopped", table(t), t.state().equals("STOPPED") ? 1 : 0));
        metrics.type("wherry_table_failed", "gauge");
        status.tables()
                .forEach(t -> metrics.sample(
                        "wherry_table_failed", table(t), t.state().equals("FAILED") ? 1 : 0));
        metrics.type("wherry_changes_captured_total", "counter");
        status.tables().forEach(t -> metrics.changes("wherry_changes_captured_total", t, t.captured()));
        metrics.type("wherry_changes_applied_total", "counter");
        status.tables().forEach(t -> metrics.changes("wherry_changes_applied_total", t, t.applied()));
        return metrics.text.toString();
    }

    private void changes(String name, TableStatus table, Counts counts) {
        sample(name, table(table) + ",operation=\"insert\"", counts.insert());
        sample(name, table(table) + ",operation=\"update\"", counts.update());
        sample(name, table(table) + ",operation=\"delete\"", counts.delete());
    }

    private void gauge(String name, Long value, double divisor) {
        if (value != null) {
            type(name, "gauge");
            sample(name, "", value / divisor);
        }
    }

    private void type(String name, String type) {
        text.append("# TYPE ").append(name).append(' ').append(type).append('\n');
    }

    private void sample(String name, String labels, double value) {
        text.append(name);
        if (!labels.isEmpty()) {
            text.append('{').append(labels).append('}');
        }
        text.append(' ').append(value).append('\n');
    }

    private static String table(TableStatus table) {
        String name = table.table().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
        return "table=\"" + name + "\"";
    }
}
