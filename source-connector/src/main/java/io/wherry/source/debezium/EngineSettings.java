package io.wherry.source.debezium;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.ServerAddress;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Sessions;
import java.util.List;
import java.util.Properties;

/** The settings of Debezium's engine for one start. */
final class EngineSettings {
    private EngineSettings() {}

    /**
     * @param engine unique name of this start
     * @param pinned start-up options of each session
     */
    static Properties of(CaptureGroup group, String engine, String pinned) {
        Properties settings = new Properties();
        settings.put("name", engine);
        settings.put("topic.prefix", engine);
        settings.put("connector.class", WherryPostgresConnector.class.getName());
        settings.put("tasks.max", "1");
        address(group, settings);
        Sessions.driverParameters().forEach((name, value) -> settings.put("driver." + name, value));
        settings.put("database.user", group.from().user());
        settings.put("database.password", group.from().password());
        settings.put("driver.options", pinned);
        settings.put("database.connection.factory.class", LabelTolerantConnections.class.getName());
        settings.put("database.initial.statements", String.join(";", sessionStatements(application(group))));
        settings.put("plugin.name", "pgoutput");
        settings.put("slot.name", group.slot());
        settings.put("slot.drop.on.stop", "false");
        settings.put("slot.max.retries", "0");
        settings.put("publication.name", group.publication());
        settings.put("publication.autocreate.mode", "disabled");
        settings.put("snapshot.mode", "no_data");
        // Debezium never sees a row, so it need not know any table: it does not scan the catalog at its start, and does
        // not refuse tables (two columns that differ only by case). The pattern matches no table: no name is empty.
        settings.put("table.include.list", "wherry_matches_nothing\\.");
        settings.put("skipped.operations", "none");
        settings.put("provide.transaction.metadata", "true");
        // Only ends of transactions come this way, to move the slot; rows do not wait for it. With 5 ms, an idle
        // source-connector used 8 % of a core.
        settings.put("poll.interval.ms", "200");
        // With a stored offset Debezium searches for its place by LSN and drops rows. So each start gets an empty store
        // and starts at the position of the slot. The engine never restarts itself, because it would use the store.
        settings.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        settings.put("offset.flush.interval.ms", "0");
        settings.put("errors.max.retries", "0");
        settings.put("event.processing.failure.handling.mode", "fail");
        return settings;
    }

    /** The application_name of the engine's sessions. */
    static String application(CaptureGroup group) {
        return Sessions.APPLICATION + group.migration().name() + " stream";
    }

    /**
     * Statements for each session of the engine: its name, by which the fence recognizes Wherry's sessions, and the settings that
     * start-up options cannot pin.
     */
    static List<String> sessionStatements(String application) {
        return List.of("SET application_name TO " + Identifiers.literal(application), Sessions.pinTheRest());
    }

    private static void address(CaptureGroup group, Properties settings) {
        // Debezium requires both, and puts them into a URL without encoding, which is wrong for some names. So the URL
        // of the configuration is used instead.
        settings.put("database.hostname", "source");
        settings.put("database.port", "5432");
        settings.put(LabelTolerantConnections.URL, group.from().url());
        ServerAddress source = group.from().server();
        settings.put("database.dbname", source.database());
        String sslmode = source.parameters().get("sslmode");
        if (sslmode != null) {
            settings.put("database.sslmode", sslmode);
        }
    }
}
