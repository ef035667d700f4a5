package io.wherry.source.debezium;

import io.debezium.jdbc.JdbcConfiguration;
import io.debezium.jdbc.JdbcConnection;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Properties;
import org.postgresql.Driver;

/**
 * Opens Debezium's connections with the URL of the configuration, because Debezium's own URL is wrong if the name of a database
 * holds {@code /} or {@code %}. Alters one query of these connections. Debezium reads all types when it starts, and fails at a type
 * of the enum kind that has no labels (a domain over an enum, or an empty enum), because the query returns NULL for the labels. The
 * altered query returns an empty list. Public because Debezium creates the object by the name of the class.
 */
public final class LabelTolerantConnections implements JdbcConnection.ConnectionFactory {
    /** What Debezium's query selects; a contract test checks it. */
    static final String LABELS = "e.values as enum_values";

    private static final String LABELS_OR_NONE = "coalesce(e.values, '{}') as enum_values";

    /** Debezium's settings carry the address here. */
    static final String URL = "database.wherry.url";

    private static final String URL_PROPERTY = URL.substring("database.".length());

    @Override
    public Connection connect(JdbcConfiguration configuration) throws SQLException {
        Properties properties = configuration.asProperties();
        String url = properties.getProperty(URL_PROPERTY);
        List.of(URL_PROPERTY, "hostname", "port", "dbname").forEach(properties::remove);
        return altering(Connection.class, new Driver().connect(url, properties));
    }

    private static <T> T altering(Class<T> type, T original) {
        return type.cast(Proxy.newProxyInstance(
                LabelTolerantConnections.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    if (arguments != null && arguments[0] instanceof String sql) {
                        arguments[0] = sql.replace(LABELS, LABELS_OR_NONE);
                    }
                    try {
                        Object result = method.invoke(original, arguments);
                        return method.getName().equals("createStatement")
                                ? altering(Statement.class, (Statement) result)
                                : result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }
}
