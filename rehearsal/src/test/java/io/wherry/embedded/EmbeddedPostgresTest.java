package io.wherry.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("embedded-only")
final class EmbeddedPostgresTest {
    @ParameterizedTest
    @ValueSource(ints = {9, 11, 17})
    void rowsSurviveAKillAndARestart(int major) throws SQLException {
        Path directory;
        try (ChildProcesses children = new ChildProcesses()) {
            directory = children.temporaryDirectory("wherry-test-");
            EmbeddedPostgres postgres = EmbeddedPostgres.start(children, major, directory, Map.of());
            int port = postgres.port();
            execute(postgres, "CREATE TABLE public.kept AS SELECT 'ä' AS word");
            postgres.kill();
            assertThatThrownBy(() -> query(postgres, "SELECT 1")).isInstanceOf(SQLException.class);
            postgres.restart();
            assertThat(query(postgres, "SELECT word FROM public.kept")).isEqualTo("ä");
            postgres.restart();
            assertThat(postgres.port()).isEqualTo(port);
            assertThat(query(postgres, "SHOW wal_level")).isEqualTo("logical");
            assertThat(query(postgres, "SHOW server_encoding")).isEqualTo("UTF8");
            assertThat(query(postgres, "SHOW server_version")).startsWith(major == 9 ? "9.6" : major + ".");
        }
        assertThat(directory).doesNotExist();
    }

    @Test
    void aServerThatDoesNotComeUpShowsItsLog() {
        try (ChildProcesses children = new ChildProcesses()) {
            Path directory = children.temporaryDirectory("wherry-test-");
            assertThatThrownBy(() -> EmbeddedPostgres.start(children, 17, directory, Map.of("wal_level", "nonsense")))
                    .isInstanceOf(ServerException.class)
                    .hasMessageContaining("PostgreSQL 17 ended")
                    .hasMessageContaining("invalid value for parameter \"wal_level\"");
            assertThat(directory).satisfies(Files::exists);
        }
    }

    private static void execute(EmbeddedPostgres postgres, String sql) throws SQLException {
        try (Connection connection = connect(postgres);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static String query(EmbeddedPostgres postgres, String sql) throws SQLException {
        try (Connection connection = connect(postgres);
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            assertThat(rows.next()).isTrue();
            return rows.getString(1);
        }
    }

    private static Connection connect(EmbeddedPostgres postgres) throws SQLException {
        return DriverManager.getConnection(postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
    }
}
