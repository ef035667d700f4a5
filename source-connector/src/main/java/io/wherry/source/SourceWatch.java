package io.wherry.source;

import io.wherry.contract.name.TableId;
import io.wherry.source.server.IdentityWatch;
import io.wherry.source.server.KnownTables;
import io.wherry.source.server.SourceAccess;
import io.wherry.source.server.SourceWaits;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Looks at the source once a second, over one session: what is waited for there, and which tables have come. For one thread. */
final class SourceWatch {
    private final SourceAccess source;
    private final KnownTables known;
    private final NewTables newTables;
    private final IdentityWatch identities;
    private Connection session;
    private List<String> waits = List.of();

    SourceWatch(SourceAccess source, KnownTables known, NewTables newTables) {
        this.source = source;
        this.known = known;
        this.newTables = newTables;
        identities = new IdentityWatch(source.migration(), source.locks());
    }

    /** Looks at what is waited for, and at updates that the source refuses because of the publication. */
    void lookAtWaits() throws SQLException {
        if (session == null) {
            session = source.sessions().open("new tables");
        }
        waits = SourceWaits.read(session, source.migration());
        source.locks().look(session);
        identities.look(session);
    }

    /** Looks at the files that hold the tables' rows. */
    void lookAtFiles() throws SQLException {
        known.files().look(session);
    }

    /** Takes in tables that have come. @return all tables to load then; empty when nothing was taken in */
    Set<TableId> takeIn() throws SQLException {
        known.wholes().look(session);
        return newTables.found(session) ? newTables.takeIn(session) : Set.of();
    }

    /** All tables that are selected and published, to be loaded unless they are. */
    Set<TableId> tables() throws SQLException {
        return newTables.known(session);
    }

    /** What is waited for, and what the source refuses, for people. */
    List<String> lines() {
        List<String> all = new ArrayList<>(identities.lines());
        all.addAll(source.locks().lines());
        all.addAll(waits);
        return all;
    }
}
