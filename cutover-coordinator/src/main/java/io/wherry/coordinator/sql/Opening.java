package io.wherry.coordinator.sql;

import io.wherry.contract.config.Endpoint;
import java.sql.Connection;
import java.sql.SQLException;

/** Where the sessions come from. */
public interface Opening {
    Connection open(Endpoint endpoint, String purpose) throws SQLException;
}
