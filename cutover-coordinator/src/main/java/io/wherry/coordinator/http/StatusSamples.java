package io.wherry.coordinator.http;

import io.micrometer.core.instrument.Tags;
import io.wherry.contract.metrics.Sample;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Coordinator;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.machine.Status.Counts;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.coordinator.watch.Lag;
import io.wherry.coordinator.watch.Pulse;
import io.wherry.coordinator.watch.SlotStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** The status of a migration as samples. A value that the status does not know is left out. */
final class StatusSamples {
    private static final List<String> WAL_STATUSES = List.of("reserved", "extended", "unreserved", "lost");

    private final List<Sample> samples = new ArrayList<>();

    private StatusSamples() {}

    /** @param maxLag end-to-end lag under which the target counts as in sync */
    static List<Sample> of(Coordinator coordinator, Duration maxLag, long nowMillis) {
        StatusSamples all = new StatusSamples();
        Status status = coordinator.status();
        for (State state : State.values()) {
            all.gauge(
                    "wherry.state",
                    "",
                    "1 for the state that the migration is in",
                    Tags.of("state", state.name()),
                    state == status.state() ? 1.0 : 0.0);
        }
        all.slot(status.slot());
        all.lag(status.lag());
        all.proof(status.proof());
        all.seconds(
                "wherry.cutover.max.lag",
                "End-to-end lag below which the target counts as in sync (cutover.max-lag)",
                Tags.empty(),
                maxLag.toMillis());
        all.services(coordinator.pulse(), nowMillis);
        status.tables().forEach(all::table);
        return all.samples;
    }

    private void slot(SlotStatus slot) {
        bytes("wherry.slot.retained", "WAL that the source keeps for the slot", slot.retainedBytes());
        bytes(
                "wherry.slot.keep",
                "Most WAL that the source keeps for a slot (max_slot_wal_keep_size)",
                slot.keepBytes());
        bytes("wherry.slot.safe", "WAL that can be written before the slot may be lost", slot.safeBytes());
        gauge(
                "wherry.slot.lost.in",
                "seconds",
                "Time until the slot is lost, if the trend of the last two minutes continues",
                Tags.empty(),
                slot.lostInSeconds());
        gauge(
                "wherry.slot.idle.left",
                "seconds",
                "Time until the source gives the slot up because no client reads it (idle_replication_slot_timeout)",
                Tags.empty(),
                slot.idleSeconds());
        if (slot.walStatus() != null) {
            WAL_STATUSES.forEach(each -> gauge(
                    "wherry.slot.wal.status",
                    "",
                    "1 for the slot's wal_status in pg_replication_slots",
                    Tags.of("status", each),
                    each.equals(slot.walStatus()) ? 1.0 : 0.0));
        }
    }

    private void lag(Lag lag) {
        seconds(
                "wherry.source.to.kafka.lag",
                "Age of the oldest commit on the source that may not be in Kafka",
                Tags.empty(),
                lag.sourceToKafkaMillis());
        seconds(
                "wherry.end.to.end.lag",
                "Time from a commit on the source to its effect on the target",
                Tags.empty(),
                lag.endToEndMillis());
        seconds(
                "wherry.heartbeat.age",
                "Time since the newest heartbeat in Kafka was emitted on the source",
                Tags.empty(),
                lag.heartbeatAgeMillis());
        gauge(
                "wherry.kafka.to.target.lag",
                "records",
                "Change records in Kafka that are not applied",
                Tags.empty(),
                lag.kafkaToTargetRecords());
    }

    private void proof(ProofView proof) {
        if (proof.tables() == 0) {
            return;
        }
        String tables = "Tables by whether every row is proven equal or waits for its comparison";
        gauge("wherry.proof", "tables", tables, Tags.of("proven", "yes"), proof.proven());
        gauge("wherry.proof", "tables", tables, Tags.of("proven", "no"), proof.tables() - proof.proven());
        gauge(
                "wherry.proof.changed",
                "rows",
                "Changed rows that wait for their comparison",
                Tags.empty(),
                proof.dirtyKeys());
        gauge(
                "wherry.proof.differing",
                "rows",
                "Rows that differ between the sides and are not on their way",
                Tags.empty(),
                proof.differences().size());
        seconds("wherry.proof.age", "Age of the oldest table's proof", Tags.empty(), proof.oldestMillis());
    }

    private void services(Pulse pulse, long nowMillis) {
        String says = "Time since the last sign of life of a service, in whatever process it runs";
        seconds(
                "wherry.service.silent",
                says,
                Tags.of("service", "source-connector"),
                pulse.sourceSilentMillis(nowMillis));
        seconds("wherry.service.silent", says, Tags.of("service", "sink-applier"), pulse.sinkSilentMillis(nowMillis));
    }

    private void table(TableStatus table) {
        Tags tags = Tags.of("table", table.table());
        gauge(
                "wherry.table.stopped",
                "",
                "1 while the changes of the table have stopped until the operator acts",
                tags,
                table.state().equals("STOPPED") ? 1.0 : 0.0);
        gauge(
                "wherry.table.failed",
                "",
                "1 while the load of the table has failed until the operator acts",
                tags,
                table.state().equals("FAILED") ? 1.0 : 0.0);
        gauge("wherry.rows.estimated", "", "Rows of the table by the source's statistics", tags, table.rowsEstimated());
        gauge(
                "wherry.table.lag",
                "records",
                "Change records of the table in Kafka that are not applied",
                tags,
                table.lag().records());
        counter("wherry.rows.loaded", "Rows that the load has brought to the target", tags, table.rowsLoaded());
        changes("wherry.changes.captured", "Changes put into Kafka", table.table(), table.captured());
        changes("wherry.changes.applied", "Changes applied to the target", table.table(), table.applied());
    }

    private void changes(String name, String says, String table, Counts counts) {
        counter(name, says, Tags.of("table", table, "operation", "insert"), counts.insert());
        counter(name, says, Tags.of("table", table, "operation", "update"), counts.update());
        counter(name, says, Tags.of("table", table, "operation", "delete"), counts.delete());
    }

    private void bytes(String name, String says, Long value) {
        gauge(name, "bytes", says, Tags.empty(), value);
    }

    private void seconds(String name, String says, Tags tags, Long millis) {
        gauge(name, "seconds", says, tags, millis == null ? null : millis / 1e3);
    }

    private void gauge(String name, String unit, String says, Tags tags, Number value) {
        if (value != null) {
            samples.add(Sample.gauge(name, unit, says, tags, value.doubleValue()));
        }
    }

    private void counter(String name, String says, Tags tags, long value) {
        samples.add(Sample.counter(name, says, tags, value));
    }
}
