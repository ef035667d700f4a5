package io.wherry.cli.rebuild;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaEvent.Kind;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the coordinator followed on the first target after the copy, such as a new index or NOT NULL.
 *
 * <p>On the first target each came in its place among the changes. Here all come after the changes, and only the last event about
 * each object counts. Counterexample with all of them: NOT NULL is set, dropped again, and a row with NULL comes. At the end, the first
 * of the two statements fails.
 */
final class Followed {
    static final String RELAXATION = "RELAXATION";
    private static final String TAKEN_BACK = "no ";
    /** The object that the statement takes back is not there. Any other failure counts. */
    private static final String NOT_THERE = "42703|42704|42P01|55000";

    private Followed() {}

    /** The last event about each object, in their order. */
    static List<SchemaEvent> net(List<SchemaEvent> events) {
        Map<String, SchemaEvent> last = new LinkedHashMap<>();
        for (SchemaEvent event : events) {
            if (event.kind() == Kind.FOLLOWED) {
                String object = takesBack(event) ? event.object().substring(TAKEN_BACK.length()) : event.object();
                last.remove(object);
                last.put(object, event);
            } else if (event.kind() == Kind.ADDED || event.kind() == Kind.DROPPED) {
                // Another table with that name: it was made as it was then.
                List<TableId> tables = event.tables();
                last.values().removeIf(earlier -> tables.containsAll(earlier.tables()));
            }
        }
        return new ArrayList<>(last.values());
    }

    /** Whether the event takes something back, so that more rows are permitted. */
    static boolean takesBack(SchemaEvent event) {
        return event.relaxes() && event.object().startsWith(TAKEN_BACK);
    }

    static Ddl ddl(SchemaEvent event, int id) {
        String kind = takesBack(event) ? RELAXATION : "ADDITION";
        return new Ddl(id, Stage.FOLLOWED, kind, event.object(), Optional.empty(), event.script());
    }

    /** Runs a statement; the failure, if it fails. The caller rolls back. */
    static Optional<SQLException> attempt(Connection target, String sql) {
        try {
            Queries.execute(target, sql);
            return Optional.empty();
        } catch (SQLException e) {
            return Optional.of(e);
        }
    }

    /** @throws SQLException the failure, unless it says that there is nothing to take back */
    static void requireNothingToTakeBack(SQLException failure) throws SQLException {
        if (!Sessions.state(failure).matches(NOT_THERE)) {
            throw failure;
        }
    }
}
