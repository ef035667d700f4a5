package io.wherry.source;

import io.wherry.contract.Identifiers;
import io.wherry.contract.Migration;
import io.wherry.contract.Sessions;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import org.postgresql.Driver;

/** The settings of Debezium's engine for one start. */
final class EngineSettings {
    private static final Set<String> ADDRESS = Set.of("PGHOST", "PGPORT", "PGDBNAME");

    private EngineSettings() {}

    /** @param engine unique name of this start */
    static Properties of(Migration migration, String engine) {
        Properties settings = new Properties();
        settings.put("name", engine);
        settings.put("topic.prefix", engine);
        settings.put("connector.class", WherryPostgresConnector.class.getName());
        settings.put("tasks.max", "1");
        address(migration, settings);
        settings.put("database.user", migration.source().user());
        settings.put("database.password", migration.source().password());
        settings.put("driver.options", Sessions.PINNED);
        settings.put("database.connection.factory.class", LabelTolerantConnections.class.getName());
        // Tells our sessions from those that the fence keeps out.
        settings.put(
                "database.initial.statements",
                "SET application_name TO " + Identifiers.literal(application(migration)));
        settings.put("plugin.name", "pgoutput");
        settings.put("slot.name", migration.slot());
        settings.put("slot.drop.on.stop", "false");
        settings.put("slot.max.retries", "0");
        settings.put("publication.name", migration.publication());
        settings.put("publication.autocreate.mode", "disabled");
        settings.put("snapshot.mode", "no_data");
        // Debezium never sees a row, so it need not know a table: no catalog scan at start, and its refusals (two
        // columns that differ by case only) concern nobody. The pattern matches no table, whose names are never empty.
        settings.put("table.include.list", "wherry_matches_nothing\\.");
        settings.put("skipped.operations", "none");
        settings.put("provide.transaction.metadata", "true");
        // Only ends of transactions come this way, to move the slot: rows do not wait for it. Looking every 5 ms took
        // 8 % of a core of an idle source-connector.
        settings.put("poll.interval.ms", "200");
        // A stored offset makes Debezium search for its place by LSN and drop rows: each start gets an empty store and
        // begins where the slot stands; and no restart within the engine, which would use the store again.
        settings.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        settings.put("offset.flush.interval.ms", "0");
        settings.put("errors.max.retries", "0");
        settings.put("event.processing.failure.handling.mode", "fail");
        return settings;
    }

    /** The application_name of the engine's sessions. */
    static String application(Migration migration) {
        return Sessions.APPLICATION + migration.name() + " stream";
    }

    private static void address(Migration migration, Properties settings) {
        Properties url = Driver.parseURL(migration.source().url(), new Properties());
        settings.put("database.hostname", url.getProperty("PGHOST"));
        settings.put("database.port", url.getProperty("PGPORT"));
        settings.put("database.dbname", url.getProperty("PGDBNAME"));
        List<String> parameters = url.stringPropertyNames().stream()
                .filter(name -> !ADDRESS.contains(name))
                .toList();
        for (String name : parameters) {
            String key = name.equals("sslmode") ? "database.sslmode" : "driver." + name;
            settings.put(key, url.getProperty(name));
        }
    }
}
