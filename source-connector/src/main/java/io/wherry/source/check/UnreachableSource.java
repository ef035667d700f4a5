package io.wherry.source.check;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.Finding;
import io.wherry.contract.postgres.PoolerException;
import io.wherry.contract.postgres.Sessions;
import java.sql.SQLException;

/** Explains why no session could be opened on the source. */
final class UnreachableSource {
    private UnreachableSource() {}

    /** Why the source cannot be checked, and the remedy. */
    static Finding explain(CaptureGroup group, SQLException e) {
        String state = e.getSQLState() == null ? "" : e.getSQLState();
        String object = "source " + group.from();
        String message = e.getMessage().lines().findFirst().orElse("");
        if (e instanceof PoolerException pooler) {
            return Finding.error(object, message, pooler.remedy("source.url"));
        }
        if (state.equals("28P01")) {
            return Finding.error(
                    object, "wrong password or role: " + message, "Correct source.user and source.password");
        }
        if (state.startsWith("28")) {
            return Finding.error(
                    object, "login refused: " + message, "Correct source.user, or add a line to pg_hba.conf");
        }
        if (state.equals("3D000")) {
            return Finding.error(object, "no such database: " + message, "Correct the database in source.url");
        }
        if (state.startsWith("08") && Sessions.isTlsProblem(e)) {
            return Finding.error(
                    object,
                    "its certificate is refused: " + message,
                    "Correct sslmode, sslrootcert or the host name in source.url");
        }
        if (state.startsWith("08")) {
            return Finding.error(
                    object,
                    "cannot be reached: " + message,
                    "Check that the server runs and listens there, and that no firewall blocks the connection");
        }
        return Finding.error(object, "cannot be checked: " + message, "Fix the cause that the server names");
    }
}
