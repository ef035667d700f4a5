package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;

/**
 * What Kafka remembers of the target: record of the control topic with key {@code target}. A target that knows nothing of the
 * migration may be the first target. Or its address was changed by mistake, or the database was emptied: then the operator decides
 * whether to load everything into it.
 *
 * @param identity of server and database
 * @param address as it was configured
 */
public record KnownTarget(String identity, String address) {
    /** Key of this record in the control topic. */
    static final String KEY = "target";

    private static final String IDENTITY =
            "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()) || '/' || oid"
                    + " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";

    static KnownTarget read(Flow flow, Connection target) throws SQLException {
        return new KnownTarget(
                Queries.string(target, IDENTITY).orElseThrow(), flow.to().toString());
    }

    static Optional<KnownTarget> last(Flow flow) {
        return ControlTopicReader.last(flow.migration(), KEY).map(value -> Json.read(value, KnownTarget.class));
    }

    /**
     * @param target that knows nothing of the migration
     * @throws ConfigurationException when there was a target before, and the operator has not confirmed this one
     */
    public static void requireMeant(Flow flow, Connection target) throws SQLException {
        Optional<KnownTarget> before = last(flow);
        boolean meant =
                Queries.truth(target, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'wherry')");
        if (before.isEmpty() || meant) {
            return;
        }
        boolean same = before.get().identity().equals(read(flow, target).identity());
        throw new ConfigurationException(
                "target " + flow.to(),
                same
                        ? "was emptied: this migration was applied to this database, and schema wherry is gone"
                        : "is not the database that this migration was applied to, "
                                + before.get().address(),
                "Correct target.url; or, to load everything into this database, on the target: CREATE SCHEMA wherry"
                        + " AUTHORIZATION "
                        + Identifiers.quote(flow.to().user()) + ", then start again");
    }
}
