package io.wherry.embedded;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** A PostgreSQL server of a rehearsal or a test, wherever it runs: what its clients need. */
public interface PostgresServer {
    int major();

    /** The port on 127.0.0.1. */
    int port();

    /** The URL without user and password. */
    default String jdbcUrl(String database) {
        return "jdbc:postgresql://127.0.0.1:" + port() + "/" + URLEncoder.encode(database, StandardCharsets.UTF_8);
    }

    String superuser();

    String password();
}
