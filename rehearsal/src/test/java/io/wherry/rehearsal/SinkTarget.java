package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Endpoint;
import io.wherry.contract.Migration;
import io.wherry.contract.Sessions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The target of a sink-applier that stands alone, and the session in which a test looks at it. */
abstract class SinkTarget {
    static final Duration LIMIT = Duration.ofSeconds(30);

    final Migration migration;
    private Connection target;

    SinkTarget(EmbeddedPostgres postgres, String name, int workers) throws SQLException {
        try (Connection connection = DriverManager.getConnection(
                        postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + name);
        }
        migration = migration(postgres, name, workers);
        connect();
    }

    private static Migration migration(EmbeddedPostgres postgres, String name, int workers) {
        Endpoint endpoint = new Endpoint(postgres.jdbcUrl(name), postgres.superuser(), postgres.password());
        return new Migration(
                name,
                endpoint,
                endpoint,
                Migration.TargetSchemaMode.CREATE,
                new Migration.Tables(List.of("*"), List.of()),
                SharedBroker.clientProperties(),
                Optional.of("http://unused"),
                new Migration.Load(2),
                new Migration.Apply(workers, Map.of()),
                new Migration.Cutover(
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(10),
                        Migration.FenceMode.NO_LOGIN,
                        new Migration.Switch.None()),
                new Migration.Http("127.0.0.1", 0, Optional.empty()));
    }

    void connect() throws SQLException {
        target = Sessions.open(migration, migration.target(), "test");
    }

    void disconnect() throws SQLException {
        target.close();
    }

    /** The session in which the test looks at the target. */
    Connection target() {
        return target;
    }

    void execute(String sql) throws SQLException {
        try (Statement statement = target.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The result's rows, columns joined by '|', rows by line feeds. */
    String query(String sql) throws SQLException {
        try (Statement statement = target.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> lines = new ArrayList<>();
            while (rows.next()) {
                List<String> values = new ArrayList<>();
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                    values.add(String.valueOf(rows.getString(i)));
                }
                lines.add(String.join("|", values));
            }
            return String.join("\n", lines);
        }
    }

    void awaitQuery(String sql, String expected) {
        await().atMost(LIMIT).untilAsserted(() -> assertThat(query(sql)).isEqualTo(expected));
    }
}
