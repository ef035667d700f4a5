package io.wherry.coordinator.sql;

import io.wherry.contract.postgres.ServerVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Small questions to a database. */
public final class Queries {
    private Queries() {}

    /** Reads one row. */
    public interface RowReader<T> {
        T read(ResultSet row) throws SQLException;
    }

    public static <T> List<T> list(Connection connection, RowReader<T> reader, String sql, Object... parameters)
            throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            try (ResultSet row = statement.executeQuery()) {
                List<T> rows = new ArrayList<>();
                while (row.next()) {
                    rows.add(reader.read(row));
                }
                return rows;
            }
        }
    }

    /** First column of every row. */
    public static List<String> strings(Connection connection, String sql, Object... parameters) throws SQLException {
        return list(connection, row -> row.getString(1), sql, parameters);
    }

    /** First column of the first row; empty when there is no row or it is NULL. */
    public static Optional<String> string(Connection connection, String sql, Object... parameters) throws SQLException {
        List<String> first = strings(connection, sql, parameters);
        return first.isEmpty() ? Optional.empty() : Optional.ofNullable(first.get(0));
    }

    /** First column of the one row, a number. */
    public static long number(Connection connection, String sql, Object... parameters) throws SQLException {
        return list(connection, row -> row.getLong(1), sql, parameters).get(0);
    }

    /** First column of the one row, a boolean. */
    public static boolean truth(Connection connection, String sql, Object... parameters) throws SQLException {
        return list(connection, row -> row.getBoolean(1), sql, parameters).get(0);
    }

    /** Rows changed. */
    public static int update(Connection connection, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            return statement.executeUpdate();
        }
    }

    /** Runs text as it is: no JDBC escapes, which would alter function bodies that hold braces. */
    public static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setEscapeProcessing(false);
            statement.execute(sql);
        }
    }

    public static boolean superuser(Connection connection) throws SQLException {
        return truth(connection, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user");
    }

    /** Whether the role may set {@code session_replication_role}: a superuser, or granted so (15 and newer). */
    public static boolean maySetReplicationRole(Connection database) throws SQLException {
        return superuser(database)
                || ServerVersion.major(database) >= 15
                        && truth(database, "SELECT has_parameter_privilege('session_replication_role', 'SET')");
    }
}
