package io.wherry.soak;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Json;
import io.wherry.embedded.FreePorts;
import io.wherry.random.RandomSchema;
import io.wherry.soak.SoakReport.Failure;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One migration under repeated faults: each run writes a seeded history while faults strike; then all faults end, and both sides
 * must hold the same rows. The first run's faults strike during the load.
 */
final class Episode implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Episode.class);
    private static final Duration RECOVERY_LIMIT = Duration.ofMinutes(10);
    private static final int LEAST_TRANSACTIONS = 8;
    private static final int FIRST_STRIKE_MILLIS = 4_000;
    private static final int POLL_MILLIS = 50;
    private static final int STRIKE_MILLIS = 1_500;
    private static final int AFTER_MILLIS = 500;
    private static final int SLOW_LOAD_MILLIS = 15;

    private final SoakServers servers;
    private final Path directory;
    private final String name;
    private final long seed;
    private final RandomSchema schema;
    private final Migration direct;
    private final Endpoint source;
    private final Endpoint target;
    private final Fleet fleet;
    private final Drain drain;
    private final TopicAudit audit;
    private final Strikes strikes;
    private int run;

    /** @param directory for the migration's files and the services' logs */
    Episode(SoakServers servers, Path directory, long seed) throws SQLException, IOException {
        this.servers = servers;
        this.directory = Files.createDirectories(directory);
        this.seed = seed;
        name = "soak-" + Long.toString(seed);
        servers.createDatabases(name);
        schema = new RandomSchema(seed, servers.source().major());
        source = SoakServers.direct(servers.source(), name);
        target = SoakServers.direct(servers.target(), name);
        fill();
        direct = MigrationFile.parse(
                file(
                                servers.source().port(),
                                servers.target().port(),
                                servers.kafka().bootstrapServers())
                        .replace("kafka: {", "kafka: {request.timeout.ms: 9000, default.api.timeout.ms: 10000, "),
                Map.of());
        List<Path> files = new ArrayList<>();
        // One file for each instance that may run at the same time: the files differ by the HTTP port.
        for (int instance = 0; instance < 3; instance++) {
            files.add(Files.writeString(
                    this.directory.resolve("m" + instance + ".yaml"),
                    file(
                            servers.sourceProxy().port(),
                            servers.targetProxy().port(),
                            "127.0.0.1:" + servers.kafkaProxy().port())));
        }
        drain = new Drain(direct, source, target);
        audit = new TopicAudit(direct);
        fleet = new Fleet(servers.processes(), this.directory, files);
        strikes = new Strikes(servers, fleet, name, seed);
    }

    private String file(int sourcePort, int targetPort, String bootstrap) {
        String url = "jdbc:postgresql://127.0.0.1:%d/%s";
        return """
                name: %s
                source: {url: "%s", user: postgres, password: postgres}
                target: {url: "%s", user: postgres, password: postgres}
                kafka: %s
                registry: {url: "%s"}
                load: {readers: 2}
                apply: {workers: 2, partitions: {public.hot: 3}}
                cutover: {max-lag: 2s, stable-for: 2s, max-downtime: 2m}
                http: {listen: "127.0.0.1:%d"}
                """.formatted(
                        name,
                        url.formatted(sourcePort, name),
                        url.formatted(targetPort, name),
                        kafka(bootstrap),
                        servers.registry().url(),
                        FreePorts.next());
    }

    private String kafka(String bootstrap) {
        Map<String, String> properties = new LinkedHashMap<>(servers.kafka().clientProperties());
        properties.put("bootstrap.servers", bootstrap);
        return new String(Json.write(properties), StandardCharsets.UTF_8);
    }

    private void fill() throws SQLException {
        try (InputStream in = Episode.class.getResourceAsStream("schema.sql");
                Connection session = SoakServers.open(servers.source(), name);
                Statement statement = session.createStatement()) {
            for (String sql : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
                statement.execute(sql);
            }
            for (String sql : schema.statements()) {
                statement.execute(sql);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One more run and its findings; a failed run is the episode's last. */
    SoakReport run() throws InterruptedException, IOException {
        int number = run++;
        Random random = new Random(seed * 1_000_003 + number);
        List<FaultKind> kinds = strikes.kinds(number, random);
        try {
            return run(number, kinds, random);
        } catch (SQLException | RuntimeException e) {
            LOG.error("run {} of seed {}", run, seed, e);
            return failed(SoakReport.ofRun(kinds, 0), kinds, "the run itself failed: " + e, List.of());
        }
    }

    private SoakReport run(int number, List<FaultKind> kinds, Random random)
            throws InterruptedException, SQLException, IOException {
        long began = System.nanoTime();
        long healed;
        int transactions;
        try (History history = new History(
                servers.source(), name, schema, seed * 1_000_003 + number, number > 0, LEAST_TRANSACTIONS)) {
            if (number == 0) {
                // Half of the first faults hit the preparations, half the load, which may be a slow one.
                servers.sourceProxy().delay(random.nextBoolean() ? SLOW_LOAD_MILLIS : 0);
                if (random.nextBoolean()) {
                    awaitSlot();
                }
            }
            strikes.strike(kinds, number == 0 ? FIRST_STRIKE_MILLIS : STRIKE_MILLIS, random);
            awaitSlot();
            servers.sourceProxy().heal();
            healed = System.nanoTime();
            if (number == 0) {
                drain.awaitCapture(RECOVERY_LIMIT);
            }
            Thread.sleep(AFTER_MILLIS);
            transactions = history.finish();
        }
        SoakReport report = SoakReport.ofRun(kinds, transactions);
        try {
            boolean drained = drain.await(RECOVERY_LIMIT);
            report = report.recoveredIn((System.nanoTime() - healed) / 1_000_000);
            if (!drained) {
                return failed(report, kinds, "not recovered: " + drain.missing(), List.of());
            }
            return compared(report, kinds).lasting((System.nanoTime() - began) / 1_000_000);
        } catch (Drain.StoppedException e) {
            // A table may have stopped because a change came twice.
            return failed(report, kinds, e.getMessage(), audit.look(drain.changeTopics()));
        }
    }

    private void awaitSlot() throws InterruptedException {
        String slots = "SELECT FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL AND slot_name = "
                + Identifiers.literal(Flow.first(direct).groups().get(0).slot());
        long deadline = System.nanoTime() + RECOVERY_LIMIT.toNanos();
        while (System.nanoTime() < deadline) {
            try (Connection session = SoakServers.open(servers.source(), name);
                    Statement statement = session.createStatement();
                    ResultSet row = statement.executeQuery(slots)) {
                if (row.next()) {
                    return;
                }
            } catch (SQLException e) {
                LOG.debug("the source is struck", e);
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    private SoakReport compared(SoakReport before, List<FaultKind> kinds) throws SQLException, IOException {
        List<String> notes = new ArrayList<>();
        SoakReport report = before;
        for (Map.Entry<TableId, TableDifference> table :
                new TableComparison(direct, source, target).run().entrySet()) {
            TableDifference difference = table.getValue();
            report = report.with(difference);
            if (!difference.isEmpty()) {
                notes.add(table.getKey() + ": lost " + difference.lost() + ", doubled " + difference.doubled()
                        + ", different " + difference.different());
                notes.addAll(difference.examples());
            }
        }
        long audited = audit.records();
        List<String> order = audit.look(drain.changeTopics());
        report = report.audited(audit.records() - audited, order.size());
        notes.addAll(order);
        return notes.isEmpty() ? report : failed(report, kinds, notes.get(0), notes);
    }

    private SoakReport failed(SoakReport report, List<FaultKind> kinds, String problem, List<String> notes)
            throws IOException {
        Files.writeString(
                directory.resolve("failure.txt"),
                "run " + run + " of seed " + seed + "\nfaults " + kinds + "\n" + problem + "\n"
                        + String.join("\n", notes) + "\n");
        for (Path log : List.of(
                servers.source().log(),
                servers.target().log(),
                servers.kafka().log(),
                servers.registry().log())) {
            Files.copy(log, directory.resolve("server-" + log.getParent().getFileName() + ".log"));
        }
        String replay =
                "./wherry soak --seed %d --runs %d --runs-per-migration %d --source-version %d --target-version %d"
                        .formatted(
                                seed,
                                run,
                                run,
                                servers.source().major(),
                                servers.target().major());
        return report.with(
                new Failure(seed, run, kinds.stream().map(Enum::name).toList(), problem, replay, directory.toString()));
    }

    /** The last log lines of services that ended by themselves. */
    List<String> ended() {
        return fleet.ended();
    }

    /** Ends the services and removes everything of the episode from the servers. */
    @Override
    public void close() {
        fleet.close();
        drain.close();
        try (Admin admin = KafkaClients.admin(direct)) {
            List<String> topics = admin.listTopics().names().get().stream()
                    .filter(topic -> topic.startsWith(name + "."))
                    .collect(Collectors.toList());
            admin.deleteTopics(topics).all().get();
            servers.dropDatabases(name, Flow.first(direct).groups().get(0).slot());
        } catch (ExecutionException | SQLException e) {
            throw new IllegalStateException("Cannot clean up after " + name, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
