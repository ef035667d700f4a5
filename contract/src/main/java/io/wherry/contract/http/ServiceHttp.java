package io.wherry.contract.http;

import com.sun.net.httpserver.HttpExchange;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Address;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Reading;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.metrics.ProcessMeters;
import io.wherry.contract.service.Service;
import java.nio.file.Path;

/** What a service in a process of its own serves over HTTP: {@code /livez} and {@code /metrics}. It changes nothing. */
public final class ServiceHttp implements AutoCloseable {
    private static final int THREADS = 8;

    private final Http configured;
    private final Path stateDirectory;
    private final Service service;
    private final ProcessMeters meters;
    private final HttpListener listener;
    private AccessToken token;

    /**
     * @param key of the configuration that holds the address
     * @param stateDirectory where a created token is kept, in case reading needs a token
     */
    public ServiceHttp(String key, Address address, Migration migration, Path stateDirectory, Service service) {
        this.configured = migration.http();
        this.meters = new ProcessMeters(migration.name());
        this.stateDirectory = stateDirectory;
        this.service = service;
        this.listener = new HttpListener(key, address, configured.names(), THREADS, this::answer);
    }

    /** @throws ConfigurationException when the server cannot listen on the address, or cannot write the token's file */
    public void start() {
        if (configured.reading() == Reading.TOKEN) {
            token = AccessToken.of(configured, stateDirectory);
        }
        listener.start();
    }

    /** The port that the server listens on. */
    public int port() {
        return listener.port();
    }

    private Reply answer(HttpExchange exchange) {
        String path = String.valueOf(exchange.getRequestURI().getPath());
        if (!exchange.getRequestMethod().equals("GET")) {
            return Reply.error(405, exchange.getRequestMethod() + " is not for " + path, "Use GET");
        }
        return switch (path) {
            case "/livez" ->
                service.hangs().map(why -> Reply.text(503, why + "\n")).orElse(Reply.text(200, "ok\n"));
            case "/metrics" ->
                token == null || token.isIn(exchange.getRequestHeaders().getFirst("Authorization"))
                        ? Reply.metrics(meters.text())
                        : Reply.error(
                                401,
                                "a token is needed",
                                "Send Authorization: Bearer with http.token, or with the content of "
                                        + AccessToken.file(stateDirectory));
            default -> Reply.error(404, "no such path: " + path, "See /livez and /metrics");
        };
    }

    @Override
    public void close() {
        listener.close();
        meters.close();
    }
}
