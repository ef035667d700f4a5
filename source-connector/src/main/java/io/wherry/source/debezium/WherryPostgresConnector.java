package io.wherry.source.debezium;

import io.debezium.connector.postgresql.PostgresConnector;
import org.apache.kafka.connect.connector.Task;

/** Debezium's connector with Wherry's task. Public because Debezium creates the object by the name of the class. */
public final class WherryPostgresConnector extends PostgresConnector {
    @Override
    public Class<? extends Task> taskClass() {
        return WherryPostgresTask.class;
    }
}
