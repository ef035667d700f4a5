package io.wherry.embedded;

/** A PostgreSQL server of a rehearsal or a test, wherever it runs: what its clients need. */
public interface PostgresServer {
    int major();

    /** The port on 127.0.0.1. */
    int port();

    /** The URL without user and password. */
    String jdbcUrl(String database);

    String superuser();

    String password();
}
