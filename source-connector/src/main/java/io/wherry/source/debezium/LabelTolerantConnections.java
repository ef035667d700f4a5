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
 * Opens Debezium's connections by the URL of the configuration, as Debezium makes one of its own that is wrong where a database's name
 * holds {@code /} or {@code %}. Alters one query in them: Debezium reads all types when it starts, and
 * falls over one of the enum kind without labels of its own (a domain over an enum, an enum that is empty yet), because the
 * query gives NULL for its labels. Here it gives an empty list. Public because Debezium makes it by name.
 */
public final class LabelTolerantConnections implements JdbcConnection.ConnectionFactory {
    /** What Debezium's query selects; a contract test watches over it. */
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
