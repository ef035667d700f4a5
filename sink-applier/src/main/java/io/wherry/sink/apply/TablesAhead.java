package io.wherry.sink.apply;

import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.sink.read.ChangeDecoder;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.TableState;
import io.wherry.sink.write.TableWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Binds tables before their first change comes, while the worker has nothing else to do. Each table needs its schema from the
 * registry and some queries of the target's catalog. That takes seconds if hundreds of tables get their first change within the
 * cutover's window. What cannot be done ahead is left to the first change, which also reports the obstacle.
 */
final class TablesAhead {
    private static final Logger LOG = LoggerFactory.getLogger(TablesAhead.class);
    private static final long ASK_AGAIN_NANOS = 1_000_000_000;

    private final Connection target;
    private final SchemaRegistry registry;
    private final ChangeDecoder decoder;
    private final TableWriter writer;
    private final Set<TableState> waiting = new LinkedHashSet<>();
    private long askNanos = System.nanoTime();

    /** @param target the writer's session */
    TablesAhead(Connection target, SchemaRegistry registry, ChangeDecoder decoder, TableWriter writer) {
        this.target = target;
        this.registry = registry;
        this.decoder = decoder;
        this.writer = writer;
    }

    /** Queues a table that was opened for changes. */
    void opened(TableState relation) {
        waiting.add(relation);
    }

    /** Binds tables for about that time. */
    void bind(Duration time) throws SQLException {
        long end = System.nanoTime() + time.toNanos();
        while (!waiting.isEmpty() && System.nanoTime() - askNanos >= 0 && System.nanoTime() - end < 0) {
            TableState relation = waiting.iterator().next();
            waiting.remove(relation);
            try {
                OptionalInt schema = registry.latest(relation.topic() + "-value");
                if (schema.isPresent()) {
                    writer.prepare(relation.table(), relation.partitions() == 1, decoder.shape(schema.getAsInt()));
                } else {
                    // The source-connector registers it while the table is loaded.
                    waiting.add(relation);
                    askNanos = System.nanoTime() + ASK_AGAIN_NANOS;
                }
            } catch (RuntimeException e) {
                LOG.debug("{} is not bound before its first change", relation.table(), e);
            } catch (SQLException e) {
                WherryException failure =
                        Failures.explain("bind", relation.table().toString(), e);
                if (failure instanceof RetryableException) {
                    throw failure;
                }
                // If the target refuses the statement here, it refuses the first change too, and that stops this table
                // alone.
                LOG.debug("{} is not bound before its first change", relation.table(), e);
            }
            target.rollback();
        }
    }
}
