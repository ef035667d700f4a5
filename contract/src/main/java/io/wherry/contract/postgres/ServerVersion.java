package io.wherry.contract.postgres;

import java.sql.Connection;
import java.sql.SQLException;

/** The version of a server, needed before a query names a catalog column that not every version has. */
public final class ServerVersion {
    /** From this version on columns can be generated: {@code pg_attribute.attgenerated}. */
    public static final int GENERATED_COLUMNS = 12;

    private ServerVersion() {}

    /** Major version of the server: 11, 17. */
    public static int major(Connection connection) throws SQLException {
        return connection.getMetaData().getDatabaseMajorVersion();
    }
}
