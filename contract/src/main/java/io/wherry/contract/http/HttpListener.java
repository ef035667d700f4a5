package io.wherry.contract.http;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.wherry.contract.config.Migration.Address;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.service.DaemonThreads;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The JDK's HTTP server on one address. It answers only requests that were meant for this host, and reads no large body. */
public final class HttpListener implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpListener.class);
    private static final int LARGEST_BODY = 64 * 1024;

    static {
        // In seconds. Without this limit, a client that sends its request byte by byte would hold a thread without
        // end, and a few such clients all threads. The server's class reads the setting when first used. The limit
        // does not concern answers: these may take as long as a cutover.
        System.setProperty("sun.net.httpserver.maxReqTime", System.getProperty("wherry.http.request-seconds", "10"));
    }

    private final String key;
    private final Address address;
    private final HostNames hosts;
    private final Answering answering;
    private final ExecutorService threads;
    private HttpServer server;

    /** Answers one request. */
    public interface Answering {
        Reply answer(HttpExchange exchange);
    }

    /**
     * @param key of the configuration that holds the address
     * @param names that requests beyond loopback may use for this host, beside addresses
     * @param most requests that are answered at the same time
     */
    public HttpListener(String key, Address address, List<String> names, int most, Answering answering) {
        this.key = key;
        this.address = address;
        this.hosts = new HostNames(address.host(), names);
        this.answering = answering;
        this.threads = Executors.newFixedThreadPool(most, DaemonThreads.named("wherry-http"));
    }

    /** @throws ConfigurationException when the server cannot listen on the address */
    public void start() {
        try {
            String host = address.host().replace("[", "").replace("]", "");
            server = HttpServer.create(new InetSocketAddress(InetAddress.getByName(host), address.port()), 0);
        } catch (IOException e) {
            throw new ConfigurationException(
                    key, address + ": " + e.getMessage(), "Choose another port, or end the process that listens there");
        }
        server.createContext("/", this::serve);
        server.setExecutor(threads);
        server.start();
        LOG.info("HTTP on {}", server.getAddress());
    }

    /** The port that the server listens on. */
    public int port() {
        return server.getAddress().getPort();
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            Reply reply = reply(exchange);
            exchange.getResponseHeaders().set("Content-Type", reply.type());
            exchange.getResponseHeaders().set("Cache-Control", "no-store");
            exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
            exchange.getResponseHeaders().set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'");
            exchange.sendResponseHeaders(reply.status(), reply.body().length == 0 ? -1 : reply.body().length);
            exchange.getResponseBody().write(reply.body());
        }
    }

    private Reply reply(HttpExchange exchange) throws IOException {
        int body = exchange.getRequestBody().readNBytes(LARGEST_BODY + 1).length;
        if (body > LARGEST_BODY) {
            return Reply.error(413, "the body is too large", "No call needs a body");
        }
        if (body > 0) {
            // Counterexample: curl -d dryRun=true sends the parameter as a body, and would begin a cutover.
            return Reply.error(
                    400,
                    "a body has no meaning here; nothing was done",
                    "Write parameters behind a ?, as in ?dryRun=true");
        }
        if (!hosts.include(exchange.getRequestHeaders().getFirst("Host"))) {
            return Reply.error(
                    421,
                    "this host name is not accepted",
                    "Use an address, localhost, or a name of http.names; access from other machines needs " + key
                            + " with an address beyond loopback");
        }
        return answering.answer(exchange);
    }

    @Override
    public void close() {
        if (server != null) {
            // The answer to the call that ended the service may still be on its way.
            server.stop(1);
        }
        threads.shutdownNow();
    }
}
