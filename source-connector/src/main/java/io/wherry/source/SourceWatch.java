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

/** Checks the source once a second, over one session: what Wherry waits for there, and which tables are new. For one thread. */
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
        identities = new IdentityWatch(source.group(), source.locks());
    }

    /** Reads what Wherry waits for, and which updates the source refuses because of the publication. */
    void lookAtWaits() throws SQLException {
        if (session == null) {
            session = source.sessions().open("new tables");
        }
        waits = SourceWaits.read(session, source.group().migration());
        source.locks().look(session);
        identities.look(session);
    }

    /** Reads which files hold the rows of the tables. */
    void lookAtFiles() throws SQLException {
        known.files().look(session);
    }

    /** Accepts new tables. @return all tables that must be loaded then; empty = no table was accepted */
    Set<TableId> takeIn() throws SQLException {
        known.wholes().look(session);
        return newTables.found(session) ? newTables.takeIn(session) : Set.of();
    }

    /** All tables that are selected and published. */
    Set<TableId> tables() throws SQLException {
        return newTables.known(session);
    }

    /** What Wherry waits for, and what the source refuses, in words. */
    List<String> lines() {
        List<String> all = new ArrayList<>(identities.lines());
        all.addAll(source.locks().lines());
        all.addAll(waits);
        return all;
    }
}
