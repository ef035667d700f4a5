package io.wherry.coordinator.http;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Reading;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.machine.Coordinator;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The coordinator over HTTP. Reading is free to whoever reaches the port, loopback unless configured, but for secrets and values
 * of rows; these, what changes state, and by configuration all reading needs {@code Authorization: Bearer <token>}. Without a configured token one is made and kept in {@code <state>/token}, readable
 * by this user only.
 */
public final class HttpApi implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpApi.class);
    private static final Set<String> CHANGING = Set.of("/api/cutover", "/api/abort", "/api/retry", "/api/reload");
    private static final int LARGEST_BODY = 64 * 1024;
    private static final int THREADS = 64;
    private static final Set<String> ALWAYS_FREE = Set.of("/livez", "/readyz");

    static {
        // A client that sends its request byte by byte would else hold a thread for as long as it likes, and a few of
        // them
        // all. In seconds; read by the server's class when it is first used. An answer may take as long as a cutover
        // does.
        System.setProperty("sun.net.httpserver.maxReqTime", System.getProperty("wherry.http.request-seconds", "10"));
    }

    private final Http configured;
    private final Path stateDirectory;
    private final Coordinator coordinator;
    private final HostNames hosts;
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS, Threads.named("wherry-http"));
    private HttpServer server;
    private AccessToken token;

    public HttpApi(Http configured, Path stateDirectory, Coordinator coordinator) {
        this.configured = configured;
        this.hosts = new HostNames(configured);
        this.stateDirectory = stateDirectory;
        this.coordinator = coordinator;
    }

    /** The file that holds a token we made. */
    public static Path tokenFile(Path stateDirectory) {
        return AccessToken.file(stateDirectory);
    }

    /** @throws ConfigurationException when the address cannot be listened on, or the token's file not be written */
    public void start() {
        try {
            token = AccessToken.of(configured, stateDirectory);
            String host = configured.host().replace("[", "").replace("]", "");
            server = HttpServer.create(new InetSocketAddress(InetAddress.getByName(host), configured.port()), 0);
        } catch (IOException e) {
            throw new ConfigurationException(
                    "http.listen",
                    configured.host() + ":" + configured.port() + ": " + e.getMessage(),
                    "Choose another port, or end what listens there");
        }
        server.createContext("/", this::serve);
        server.setExecutor(threads);
        server.start();
        LOG.info("HTTP on {}", server.getAddress());
    }

    public int port() {
        return server.getAddress().getPort();
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            Reply reply;
            if (exchange.getRequestBody().readNBytes(LARGEST_BODY + 1).length > LARGEST_BODY) {
                reply = Reply.error(413, "the body is too large", "No call needs one");
            } else {
                reply = reply(exchange);
            }
            if (!valuesShown(exchange)) {
                reply = reply.masked();
            }
            exchange.getResponseHeaders().set("Content-Type", reply.type());
            exchange.getResponseHeaders().set("Cache-Control", "no-store");
            exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
            exchange.getResponseHeaders().set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'");
            exchange.sendResponseHeaders(reply.status(), reply.body().length == 0 ? -1 : reply.body().length);
            exchange.getResponseBody().write(reply.body());
        }
    }

    private Reply reply(HttpExchange exchange) {
        if (!hosts.include(exchange.getRequestHeaders().getFirst("Host"))) {
            return Reply.error(
                    421,
                    "this host name is not ours",
                    "Use an address, localhost, or a name of http.names; beyond loopback http.listen and a token are needed");
        }
        String path = String.valueOf(exchange.getRequestURI().getPath());
        boolean post = exchange.getRequestMethod().equals("POST");
        boolean changes = CHANGING.contains(path);
        if (post != changes) {
            return Reply.error(
                    405, exchange.getRequestMethod() + " is not for " + path, "Use " + (changes ? "POST" : "GET"));
        }
        String query = exchange.getRequestURI().getQuery();
        boolean guarded = changes
                || shows(query)
                || configured.reading() == Reading.TOKEN && !(ALWAYS_FREE.contains(path) && query == null);
        if (guarded && !token.isIn(exchange.getRequestHeaders().getFirst("Authorization"))) {
            return Reply.error(
                    401,
                    "a token is needed",
                    configured.token().isPresent()
                            ? "Send Authorization: Bearer with http.token"
                            : "Send Authorization: Bearer with the content of " + tokenFile(stateDirectory));
        }
        return switch (path) {
            case "/livez" -> live();
            case "/readyz" -> ready(query != null && query.contains("verbose"));
            case "/metrics" -> Reply.text(200, Metrics.text(coordinator));
            case "/api/status" -> Reply.json(200, coordinator.status());
            case "/api/lag" -> Reply.json(200, coordinator.status().lag());
            case "/api/tables" -> Reply.json(200, coordinator.status().tables());
            case "/api/cutover" ->
                await(coordinator
                        .cutover(query != null && query.contains("dryRun=true"))
                        .thenApply(Object.class::cast));
            case "/api/abort" -> await(coordinator.abort().thenApply(aborted -> Map.of("aborting", aborted)));
            case "/api/retry" -> ordered(coordinator::retry, query);
            case "/api/reload" -> ordered(coordinator::reload, query);
            default ->
                Reply.error(
                        404,
                        "no such path: " + path,
                        "See /api/status, /api/lag, /api/tables, /metrics, /livez, /readyz");
        };
    }

    private interface Giving {
        List<TableId> give(Optional<String> table) throws SQLException;
    }

    /** @param query {@code table=} and its name, or {@code all=true} */
    private static Reply ordered(Giving order, String query) {
        boolean named = query != null && query.startsWith("table=");
        if (!named && !"all=true".equals(query)) {
            return Reply.error(400, "which table is not said", "Add ?table=schema.table or ?all=true");
        }
        try {
            List<TableId> tables = order.give(named ? Optional.of(query.substring(6)) : Optional.empty());
            return Reply.json(
                    200, Map.of("tables", tables.stream().map(TableId::toString).toList()));
        } catch (WherryException | SQLException e) {
            return failed(e);
        }
    }

    /** Whether passwords and values of rows are asked for, by somebody who has the token: the answer was refused else. */
    private boolean valuesShown(HttpExchange exchange) {
        return shows(exchange.getRequestURI().getQuery())
                && token.isIn(exchange.getRequestHeaders().getFirst("Authorization"));
    }

    private static boolean shows(String query) {
        return query != null && List.of(query.split("&")).contains("showValues=true");
    }

    /** Whether this process works: if not, only its end helps. */
    private Reply live() {
        return coordinator
                .pulse()
                .hangs(MonotonicClock.millis())
                .map(why -> Reply.text(503, why + "\n"))
                .orElse(Reply.text(200, "ok\n"));
    }

    /** Whether all three services work, also those in other processes. */
    private Reply ready(boolean verbose) {
        Status status = coordinator.status();
        List<String> problems = new ArrayList<>();
        if (coordinator.done().toCompletableFuture().isCompletedExceptionally()) {
            problems.add("stopped");
        }
        long now = MonotonicClock.millis();
        coordinator.pulse().hangs(now).ifPresent(problems::add);
        if (status.state().servedBy().equals("source")) {
            problems.addAll(coordinator.pulse().silent(now));
        }
        String detail = verbose ? "state " + status.state() + "\nwaits for " + status.waitsFor() + "\n" : "";
        String verdict = problems.isEmpty() ? "ok\n" : String.join("\n", problems) + "\n";
        return Reply.text(problems.isEmpty() ? 200 : 503, verdict + detail);
    }

    private static Reply await(CompletionStage<?> result) {
        try {
            return Reply.json(200, result.toCompletableFuture().get());
        } catch (ExecutionException e) {
            return failed(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Reply.error(503, "the coordinator is stopping", "Ask again when it is up");
        }
    }

    private static Reply failed(Throwable failure) {
        if (failure instanceof WherryException known) {
            return Reply.error(known instanceof DataException ? 409 : 503, known.getMessage(), known.hint());
        }
        return failure instanceof SQLException
                ? Reply.error(503, "the databases: " + failure.getMessage(), "Check that both are reachable")
                : Reply.error(500, String.valueOf(failure.getMessage()), "See the log");
    }

    @Override
    public void close() {
        if (server != null) {
            // The answer to the call that ended the migration may still be on its way.
            server.stop(1);
        }
        threads.shutdownNow();
    }
}
