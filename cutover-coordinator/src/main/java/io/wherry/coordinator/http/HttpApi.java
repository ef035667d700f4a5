package io.wherry.coordinator.http;

import com.sun.net.httpserver.HttpExchange;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Reading;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.http.AccessToken;
import io.wherry.contract.http.HttpListener;
import io.wherry.contract.http.Reply;
import io.wherry.contract.metrics.ProcessMeters;
import io.wherry.contract.metrics.ShownSamples;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.cutover.Force;
import io.wherry.coordinator.machine.Coordinator;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.thread.MonotonicClock;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * The coordinator over HTTP. Every client that reaches the port (loopback unless configured) may read all but secrets and values of
 * rows. For these, for calls that change state, and if so configured for all reading, a client needs {@code Authorization: Bearer
 * <token>}. Without a configured token, a token is created and kept in {@code <state>/token}, which only this user can read.
 */
public final class HttpApi implements AutoCloseable {
    /** Paths that change something, and their parameters. */
    private static final Map<String, Set<String>> CHANGING = Map.of(
            "/api/cutover",
            new TreeSet<>(Set.of("dryRun", "force")),
            "/api/abort",
            Set.of(),
            "/api/retry",
            new TreeSet<>(Set.of("table", "all")),
            "/api/reload",
            new TreeSet<>(Set.of("table", "all")),
            "/api/verify/start",
            Set.of("tables"),
            "/api/verify/stop",
            Set.of(),
            "/api/verify/resume",
            Set.of(),
            "/api/verify/repair",
            new TreeSet<>(Set.of("tables", "dryRun")));

    private static final int THREADS = 64;
    private static final Set<String> ALWAYS_FREE = Set.of("/livez", "/readyz");

    private final Http configured;
    private final Path stateDirectory;
    private final Coordinator coordinator;
    private final HttpListener listener;
    private final Duration maxLag;
    private final ProcessMeters meters;
    private final ShownSamples samples;
    private AccessToken token;

    public HttpApi(Migration migration, Path stateDirectory, Coordinator coordinator) {
        this.configured = migration.http();
        this.maxLag = migration.cutover().maxLag();
        this.meters = new ProcessMeters(migration.name());
        this.samples = new ShownSamples(meters.registry());
        this.stateDirectory = stateDirectory;
        this.coordinator = coordinator;
        this.listener = new HttpListener("http.listen", configured.listen(), configured.names(), THREADS, this::answer);
    }

    /** The file that holds a created token. */
    public static Path tokenFile(Path stateDirectory) {
        return AccessToken.file(stateDirectory);
    }

    /** @throws ConfigurationException when the server cannot listen on the address, or cannot write the token's file */
    public void start() {
        token = AccessToken.of(configured, stateDirectory);
        listener.start();
    }

    /** The port that the API listens on. */
    public int port() {
        return listener.port();
    }

    private Reply answer(HttpExchange exchange) {
        Reply reply = reply(exchange);
        return valuesShown(exchange) ? reply : reply.masked();
    }

    private Reply reply(HttpExchange exchange) {
        String path = String.valueOf(exchange.getRequestURI().getPath());
        boolean post = exchange.getRequestMethod().equals("POST");
        boolean changes = CHANGING.containsKey(path);
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
        Parameters parameters = Parameters.of(exchange.getRequestURI().getRawQuery());
        Optional<String> unknown = changes ? parameters.unknown(CHANGING.get(path)) : Optional.empty();
        if (unknown.isPresent()) {
            return Reply.error(
                    400,
                    path + " has no parameter " + unknown.get() + "; nothing was done",
                    "Parameters of " + path + ": "
                            + (CHANGING.get(path).isEmpty() ? "none" : String.join(", ", CHANGING.get(path))));
        }
        return switch (path) {
            case "/livez" -> live();
            case "/readyz" -> ready(query != null && query.contains("verbose"));
            case "/metrics" -> Reply.metrics(metrics());
            case "/api/status" -> Reply.json(200, coordinator.status());
            case "/api/lag" -> Reply.json(200, coordinator.status().lag());
            case "/api/tables" -> Reply.json(200, coordinator.status().tables());
            case "/api/cutover" -> cutover(parameters);
            case "/api/abort" -> await(coordinator.abort().thenApply(aborted -> Map.of("aborting", aborted)));
            case "/api/retry" -> ordered(coordinator::retry, parameters);
            case "/api/reload" -> ordered(coordinator::reload, parameters);
            case "/api/verify" -> answered(() -> coordinator.proof().report(shows(query)));
            case "/api/verify/start" ->
                answered(() -> Map.of("tables", names(coordinator.proof().start(parameters.all("tables")))));
            case "/api/verify/repair" -> repair(parameters);
            case "/api/verify/stop" ->
                answered(() -> {
                    coordinator.proof().stop();
                    return Map.of("stopped", true);
                });
            case "/api/verify/resume" ->
                answered(() -> {
                    coordinator.proof().resume();
                    return Map.of("stopped", false);
                });
            default ->
                Reply.error(
                        404,
                        "no such path: " + path,
                        "See /api/status, /api/lag, /api/tables, /api/verify, /metrics, /livez, /readyz");
        };
    }

    /** @param parameters {@code dryRun}, {@code force}, both or none */
    private Reply cutover(Parameters parameters) {
        Set<Force> forced = EnumSet.noneOf(Force.class);
        for (String named : parameters.all("force")) {
            Optional<Force> force = Force.of(named);
            if (force.isEmpty()) {
                return Reply.error(400, "force=" + named + " is not known", "Leave it out, or use force=verify");
            }
            forced.add(force.get());
        }
        return whetherDry(parameters, dryRun -> await(coordinator.cutover(dryRun, forced)));
    }

    /** @param parameters {@code tables}, {@code dryRun}, both or none */
    private Reply repair(Parameters parameters) {
        return whetherDry(
                parameters, dryRun -> answered(() -> coordinator.proof().repair(parameters.all("tables"), dryRun)));
    }

    private static Reply whetherDry(Parameters parameters, Function<Boolean, Reply> order) {
        String dryRun = parameters.all("dryRun").isEmpty() ? "false" : String.join(",", parameters.all("dryRun"));
        return Set.of("true", "false").contains(dryRun)
                ? order.apply(dryRun.equals("true"))
                : Reply.error(400, "dryRun=" + dryRun + " is not known; nothing was done", "Use dryRun=true or false");
    }

    /** One answer after another, because each shows the status of its own moment. */
    private synchronized String metrics() {
        samples.show(StatusSamples.of(coordinator, maxLag, MonotonicClock.millis()));
        return meters.text();
    }

    private interface Giving {
        List<TableId> give(Optional<String> table) throws SQLException;
    }

    /** @param parameters {@code table} with a name, or {@code all=true} */
    private static Reply ordered(Giving order, Parameters parameters) {
        Optional<String> named = parameters.last("table");
        if (named.isPresent() == parameters.is("all", "true")) {
            return Reply.error(400, "no table was named", "Add ?table=schema.table or ?all=true");
        }
        try {
            List<TableId> tables = order.give(named);
            return Reply.json(200, Map.of("tables", names(tables)));
        } catch (WherryException | SQLException e) {
            return failed(e);
        }
    }

    private static List<String> names(Collection<TableId> tables) {
        return tables.stream().map(TableId::toString).toList();
    }

    private static Reply answered(Supplier<Object> question) {
        try {
            return Reply.json(200, question.get());
        } catch (WherryException e) {
            return failed(e);
        }
    }

    /** Whether the client asks for passwords and values of rows. Such a client has the token: otherwise the request was refused. */
    private boolean valuesShown(HttpExchange exchange) {
        return shows(exchange.getRequestURI().getQuery())
                && token.isIn(exchange.getRequestHeaders().getFirst("Authorization"));
    }

    private static boolean shows(String query) {
        return query != null && List.of(query.split("&")).contains("showValues=true");
    }

    /** Whether this process works: if not, only a restart helps. */
    private Reply live() {
        return coordinator.hangs().map(why -> Reply.text(503, why + "\n")).orElse(Reply.text(200, "ok\n"));
    }

    /** Whether all three services work, also in other processes. */
    private Reply ready(boolean verbose) {
        Status status = coordinator.status();
        List<String> problems = new ArrayList<>();
        if (coordinator.done().toCompletableFuture().isCompletedExceptionally()) {
            problems.add("stopped");
        }
        long now = MonotonicClock.millis();
        coordinator.hangs().ifPresent(problems::add);
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
            return Reply.error(503, "the coordinator is stopping", "Ask again when a coordinator runs");
        }
    }

    private static Reply failed(Throwable failure) {
        if (failure instanceof ConfigurationException wrong) {
            return Reply.error(
                    400,
                    wrong.findings().stream()
                            .map(finding -> finding.object() + ": " + finding.problem())
                            .collect(Collectors.joining("; ")),
                    wrong.findings().get(0).remedy());
        }
        if (failure instanceof WherryException known) {
            return Reply.error(known instanceof DataException ? 409 : 503, known.getMessage(), known.hint());
        }
        return failure instanceof SQLException
                ? Reply.error(503, "the databases: " + failure.getMessage(), "Check that both databases are reachable")
                : Reply.error(500, String.valueOf(failure.getMessage()), "See the log");
    }

    @Override
    public void close() {
        listener.close();
        meters.close();
    }
}
