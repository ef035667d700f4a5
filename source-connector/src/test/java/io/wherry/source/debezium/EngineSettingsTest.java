package io.wherry.source.debezium;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** Debezium's sessions are opened like Wherry's sessions. */
final class EngineSettingsTest {
    private static final Migration MIGRATION = MigrationFile.parse("""
            name: shop
            source: {url: "jdbc:postgresql://[::1]:5433/a%2Fb%25c?sslmode=require&connectTimeout=3", user: w, password: p}
            target: {url: "jdbc:postgresql://new/shop", user: w, password: p}
            """, Map.of());

    @Test
    void debeziumsSessionsHaveTheSettingsThatWherrysSessionsPin() {
        Properties settings =
                EngineSettings.of(Flow.first(MIGRATION).groups().get(0), "engine", "-c search_path=pg_catalog");

        assertThat(settings)
                .contains(
                        entry("driver.options", "-c search_path=pg_catalog"),
                        entry("driver.tcpKeepAlive", "true"),
                        entry("driver.socketFactory", "io.wherry.contract.postgres.KeptAliveSockets"),
                        entry(
                                "database.initial.statements",
                                "SET application_name TO 'wherry shop stream';SET timezone TO 'UTC'"));
    }

    @Test
    void debeziumGetsAnAddressWithAnyCharacters() {
        Properties settings = EngineSettings.of(Flow.first(MIGRATION).groups().get(0), "engine", "");

        assertThat(settings)
                .contains(
                        entry("database.dbname", "a/b%c"),
                        entry("database.sslmode", "require"),
                        entry(LabelTolerantConnections.URL, MIGRATION.source().url()));
    }
}
