package io.wherry.source.debezium;

import io.debezium.connector.postgresql.Module;
import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.DebeziumEngine.RecordCommitter;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Resources;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.Routes;
import io.wherry.source.decode.Origin;
import io.wherry.source.decode.RelationShapes;
import io.wherry.source.decode.RepairMessages;
import io.wherry.source.decode.RowDecoder;
import io.wherry.source.publish.ChangePublisher;
import io.wherry.source.server.TableFiles;
import io.wherry.source.server.WholeTables;
import java.io.IOException;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * One start of the stream: a new Debezium engine, a new decoder and a new publisher, from the slot's position until it
 * fails or is closed.
 */
public final class ChangeStream implements AutoCloseable {
    private static final AtomicLong STARTS = new AtomicLong();
    private static final Duration COVERED_WAIT = Duration.ofSeconds(1);
    private static final long START_SECONDS = 60;

    static {
        // Debezium's statistics cost more than all of Wherry's work for a row, and its queue logs each event when full.
        System.setProperty("dbz.advanced.metrics.enable", "false");
    }

    private final String engineName;
    private final ChangePublisher publisher;
    private final RelationShapes shapes;
    private final Failpoints failpoints;
    private final DebeziumEngine<RecordChangeEvent<SourceRecord>> engine;
    private final AtomicLong pulse = new AtomicLong(System.nanoTime());
    private final CountDownLatch settled = new CountDownLatch(1);
    private volatile boolean started;
    private volatile boolean closing;
    private volatile Throwable ended;

    /**
     * Fences any earlier publisher; the engine does not run yet.
     *
     * @param routes where each table's changes go
     * @param timeline of the source when it was checked; a server on another timeline must not send
     * @param transactionTimeout longest time one source transaction may take to arrive
     */
    public ChangeStream(
            CaptureGroup group,
            Routes routes,
            SchemaRegistry registry,
            CaptureCounts counts,
            TableFiles files,
            WholeTables wholes,
            Timeline timeline,
            Duration transactionTimeout,
            Failpoints failpoints) {
        this.failpoints = failpoints;
        // First, because a failure here must leave nothing open.
        String options = pinned(group);
        engineName = "wherry-" + group.migration().name() + "-" + STARTS.incrementAndGet();
        List<String> topics = routes.topics();
        publisher = new ChangePublisher(group, registry, topics, timeline, transactionTimeout, failpoints);
        shapes = new RelationShapes(group, files, wholes);
        RepairMessages repairs = new RepairMessages(
                group.migration().name(), group.flow().generation(), () -> ControlTopic.read(group.migration())
                        .repairSecret());
        RowDecoder decoder =
                new RowDecoder(routes, registry, shapes, publisher, counts, origin(group), repairs, Clock.systemUTC());
        TaskInputs.offer(engineName, new TaskInputs(decoder, EngineSettings.application(group), timeline, pulse));
        engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
                .using(EngineSettings.of(group, engineName, options))
                .using(new DebeziumEngine.ConnectorCallback() {
                    @Override
                    public void pollingStarted() {
                        settled.countDown();
                    }
                })
                .using((success, message, error) -> ended = error)
                .notifying(this::moveSlot)
                .build();
    }

    private static Origin origin(CaptureGroup group) {
        return new Origin(
                Module.version(),
                group.migration().name(),
                group.from().server().database(),
                group.flow().generation());
    }

    private static String pinned(CaptureGroup group) {
        try {
            return Sessions.options(group.migration(), group.from());
        } catch (SQLException e) {
            throw new RetryableException(
                    "stream changes", group.from().toString(), e.getMessage(), "Check that the source is reachable", e);
        }
    }

    /**
     * Streams until closed.
     *
     * @throws WherryException what stopped the stream; none when {@link #stop} did
     */
    public void run() {
        started = true;
        if (closing) {
            return;
        }
        try {
            engine.run();
        } finally {
            settled.countDown();
        }
        if (closing) {
            return;
        }
        if (publisher.failure().isPresent()) {
            throw publisher.failure().get();
        }
        for (Throwable cause = ended; cause != null; cause = cause.getCause()) {
            if (cause instanceof WherryException known) {
                throw known;
            }
        }
        throw new RetryableException(
                "stream changes",
                engineName,
                ended == null ? "the engine ended by itself" : rootMessage(ended),
                "Check that the source is reachable",
                ended);
    }

    /** The innermost message, because Debezium's own layers do not give the reason. */
    private static String rootMessage(Throwable failure) {
        String message = failure.toString();
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            message = cause.getMessage() == null ? message : cause.getMessage();
        }
        return message;
    }

    /**
     * Lets Debezium move the slot, but never past what is in Kafka: marking a record as processed flushes the end LSN of the last
     * commit before it, so that commit must be in Kafka. A record that is not covered in time is left, because a later one covers it.
     */
    private void moveSlot(
            List<RecordChangeEvent<SourceRecord>> records, RecordCommitter<RecordChangeEvent<SourceRecord>> committer)
            throws InterruptedException {
        RecordChangeEvent<SourceRecord> last = records.get(records.size() - 1);
        Object commit = last.record().sourceOffset().get("lsn_commit");
        if (commit instanceof Long lsn && publisher.awaitCommitted(new Lsn(lsn), COVERED_WAIT)) {
            failpoints.before(Effect.SLOT_ADVANCE);
            committer.markProcessed(last);
            failpoints.after(Effect.SLOT_ADVANCE);
        }
        committer.markBatchFinished();
    }

    /**
     * Makes {@link #run} end. The slot sends what is not in Kafka yet again at the next start. Does not wait, because the engine may
     * wait for one of its own threads that never ends.
     */
    public void stop() {
        closing = true;
        Thread closer = new Thread(this::closeEngine, "wherry-source-engine-close");
        closer.setDaemon(true);
        closer.start();
    }

    /** Whether a Kafka transaction was committed since this start. */
    public boolean hasCommitted() {
        return publisher.hasCommitted();
    }

    /** Time since the engine last read its stream, in ms. */
    public long silentMillis() {
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - pulse.get());
    }

    private void closeEngine() {
        try {
            // The engine cannot be closed while it starts.
            if (started && settled.await(START_SECONDS, TimeUnit.SECONDS)) {
                engine.close();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException | IllegalStateException e) {
            // The engine has ended by itself: nothing is left to close.
            Resources.log("closing the engine", e);
        }
    }

    /** Releases what the stream held, once {@link #run} has ended. */
    @Override
    public void close() {
        TaskInputs.withdraw(engineName);
        publisher.close();
        shapes.close();
    }
}
