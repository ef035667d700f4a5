package io.wherry.contract.config;

import java.util.Objects;

/**
 * A PostgreSQL database and how to log in.
 *
 * @param url JDBC URL, {@code jdbc:postgresql://host:5432/database}, driver parameters allowed
 */
public record Endpoint(String url, String user, String password) {
    public Endpoint {
        Objects.requireNonNull(url, "url");
        Objects.requireNonNull(user, "user");
        Objects.requireNonNull(password, "password");
    }

    /** The URL without driver parameters; one of these may be the password of a key. */
    public String address() {
        int parameters = url.indexOf('?');
        return parameters < 0 ? url : url.substring(0, parameters);
    }

    /** The parts of the URL. */
    public ServerAddress server() {
        return ServerAddress.of(url);
    }

    /** Never shows the password: this text may reach a log. */
    @Override
    public String toString() {
        return user + "@" + address();
    }
}
