package io.wherry.source.debezium;

import io.debezium.connector.postgresql.PostgresConnector;
import org.apache.kafka.connect.connector.Task;

/** Debezium's connector with our task. Public because Debezium makes it by name. */
public final class WherryPostgresConnector extends PostgresConnector {
    @Override
    public Class<? extends Task> taskClass() {
        return WherryPostgresTask.class;
    }
}
