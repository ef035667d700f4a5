package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.SourceIdentity;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.publish.TopicGuard;
import io.wherry.source.server.KnownTables;
import io.wherry.source.server.Publication;
import io.wherry.source.server.RowFilters;
import io.wherry.source.server.SlotGuard;
import io.wherry.source.server.SourceAccess;
import io.wherry.source.server.TablePublishing;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Prepares the selected tables before a term captures them: topics, checks and the publication. */
final class TablePreparation {
    private static final Logger LOG = LoggerFactory.getLogger(TablePreparation.class);

    private final SourceAccess source;
    private final CaptureGroup group;
    private final KnownTables known;
    private final ControlTopic control;
    private final Failpoints failpoints;
    private final BooleanSupplier closing;

    /**
     * The tables that the term captures.
     *
     * @param memory the content of the control topic
     * @param layout of the topics of the tables
     */
    record Prepared(ControlLog memory, Set<TableId> tables, KafkaTopics.Layout layout) {
        /** Whether all these tables are loaded. */
        boolean loaded() {
            return memory.loaded().keySet().containsAll(tables);
        }
    }

    /** @param closing ends the wait for locks */
    TablePreparation(
            SourceAccess source,
            KnownTables known,
            ControlTopic control,
            Failpoints failpoints,
            BooleanSupplier closing) {
        this.source = source;
        this.group = source.group();
        this.known = known;
        this.control = control;
        this.failpoints = failpoints;
        this.closing = closing;
    }

    /**
     * Prepares all tables or, after the first start of the migration, the tables that can be locked.
     *
     * @param remembered the content of the control topic at the start of the term
     */
    Prepared prepare(Connection session, ControlLog remembered) throws SQLException {
        ControlLog memory = remembered;
        List<CatalogTable> tables = NewTables.withoutUnfit(session, group, memory);
        Set<TableId> selected = tables.stream().map(CatalogTable::id).collect(Collectors.toSet());
        KafkaTopics.Layout layout = KafkaTopics.ensure(group.flow(), selected, memory.plannedPartitions());
        TopicGuard.requireRemembered(session, group, memory);
        requireSameSource(session, memory);
        boolean started = !memory.plans().isEmpty();
        // SlotGuard reports a dropped publication: what was written meanwhile can no longer be decoded.
        boolean publish = !started || memory.slotWanted() || Publication.exists(session, group);
        if (publish && started) {
            memory = unloadReplaced(session, memory);
        }
        if (publish) {
            failpoints.before(Effect.PUBLICATION);
            publish(session, tables, selected, started);
            failpoints.after(Effect.PUBLICATION);
        }
        known.files().loaded(memory.loaded());
        known.files().look(session);
        memory.partitions().forEach(known.wholes()::know);
        return new Prepared(memory, selected, layout);
    }

    private void requireSameSource(Connection session, ControlLog memory) throws SQLException {
        SourceIdentity identity = SlotGuard.identity(group, session);
        if (memory.source().isPresent()) {
            SlotGuard.requireSame(memory.source().get(), identity);
        } else {
            control.source(identity);
        }
    }

    /** A table that is not what was loaded under its name must be re-loaded. */
    private ControlLog unloadReplaced(Connection session, ControlLog memory) throws SQLException {
        Map<TableId, String> replaced = NewTables.replaced(session, group, memory);
        replaced.forEach((table, why) -> {
            LOG.warn("{}: {}; re-loading the table", table, why);
            known.routes().replaced(table, why);
            control.unloaded(table);
        });
        RowFilters.takeOutChanged(session, group, replaced.keySet(), source.locks());
        return replaced.isEmpty() ? memory : ControlTopic.read(group.migration());
    }

    /**
     * The first start of the migration waits for all tables, because the slot is created after they are published. Later, the other
     * tables must not wait for a table that cannot be locked. That table is new, and is accepted when it is published.
     *
     * @param selected tables that are left for later are removed from this set
     */
    private void publish(Connection session, List<CatalogTable> tables, Set<TableId> selected, boolean started)
            throws SQLException {
        if (!started) {
            TablePublishing.ensure(session, group, tables, source.locks(), closing);
            if (closing.getAsBoolean()) {
                throw new RetryableException("publish tables on", "the source", "the source-connector is closed", "");
            }
        } else if (!TablePublishing.publish(session, group, tables, source.locks())) {
            Set<TableId> published = Publication.published(session, group);
            selected.removeIf(table -> group.migration().tables().follows(table) && !published.contains(table));
        }
    }
}
