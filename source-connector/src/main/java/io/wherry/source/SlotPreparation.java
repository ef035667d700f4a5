package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Position;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.source.TablePreparation.Prepared;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.SlotMade;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.control.TableIdentities;
import io.wherry.source.load.LoadSnapshot;
import io.wherry.source.server.ReplicationSlot;
import io.wherry.source.server.SlotGuard;
import io.wherry.source.server.SourceAccess;
import io.wherry.source.server.Timelines;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;

/** Prepares the stream, once the tables are published: the slot, and the routes of all tables that the stream will hold. */
final class SlotPreparation {
    private final SourceAccess source;
    private final CaptureGroup group;
    private final Routes routes;
    private final ControlTopic control;
    private final Failpoints failpoints;

    SlotPreparation(SourceAccess source, Routes routes, ControlTopic control, Failpoints failpoints) {
        this.source = source;
        this.group = source.group();
        this.routes = routes;
        this.control = control;
        this.failpoints = failpoints;
    }

    /**
     * Creates the slot if necessary, and the routes of all tables.
     *
     * @return snapshot of the new slot, or null when the slot is older
     */
    LoadSnapshot prepare(Connection session, Prepared prepared) throws SQLException {
        LoadSnapshot first = firstSnapshot(session, prepared.memory());
        route(prepared);
        routes.bind(prepared.memory().identities());
        if (first != null) {
            // The stream starts where this snapshot ends.
            routes.bind(TableIdentities.read(first.session(), group.migration(), prepared.tables()));
        }
        return first;
    }

    /**
     * Creates the slot at the first start of the migration, and when the operator has ordered a re-load of everything. In other cases
     * {@link SlotGuard} reports a missing slot.
     */
    private LoadSnapshot firstSnapshot(Connection session, ControlLog memory) throws SQLException {
        Optional<Position> position = Positions.last(group);
        boolean started = !memory.plans().isEmpty() || position.isPresent();
        if (started && !memory.slotWanted()) {
            return null;
        }
        // A slot from before anything was written belongs to a start that was killed, perhaps before LoadSnapshot had
        // checked that the slot can be decoded.
        if (ReplicationSlot.find(session, group.slot()).isPresent()) {
            ReplicationSlot.endReader(session, group.slot());
            ReplicationSlot.drop(session, group.slot());
        }
        if (position.isPresent()) {
            Timelines.passBy(session, position.get().newest());
        }
        failpoints.before(Effect.SLOT);
        LoadSnapshot snapshot = LoadSnapshot.take(source, true);
        failpoints.after(Effect.SLOT);
        if (memory.slotWanted()) {
            SlotGuard.requireAhead(group, snapshot.lsn(), position);
            control.slotMade(new SlotMade(group.flow().generation(), snapshot.lsn(), snapshot.timeline()));
        }
        return snapshot;
    }

    /** A table that is no longer selected keeps its route: its changes still come, and its earlier load needs them. */
    private void route(Prepared prepared) {
        for (LoadPlan plan : prepared.memory().plans()) {
            plan.tables().forEach(table -> routes.put(new Route(table.id(), table.topic(), table.partitions())));
        }
        for (TableId table : prepared.tables()) {
            routes.put(new Route(
                    table,
                    group.migration().topics().changes(table),
                    prepared.layout().partitions().get(table)));
        }
    }
}
