package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Json;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.Migration;
import io.wherry.contract.MigrationFile;
import io.wherry.contract.SourceStatus;
import io.wherry.contract.TopicTail;
import io.wherry.source.SourceConnector;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A broker that is away for longer than its clients wait, and one that gives up transactions that take long: seconds here, for minutes. */
class KafkaAwayTest {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final long AWAY_MILLIS = 15_000;

    @Test
    void aBrokerThatIsAwayForMinutesEndsTheLoadAndItsSnapshot() throws Exception {
        try (ChildProcesses children = new ChildProcesses();
                InMemoryRegistry registry = new InMemoryRegistry()) {
            Path directory = children.temporaryDirectory("wherry-away");
            EmbeddedKafka kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
            EmbeddedPostgres postgres = EmbeddedPostgres.start(children, 15, directory.resolve("source"), Map.of());
            Map<String, String> impatient = new HashMap<>(kafka.clientProperties());
            impatient.putAll(
                    Map.of("request.timeout.ms", "2000", "delivery.timeout.ms", "4000", "max.block.ms", "3000"));
            Migration migration = migration(postgres, impatient, registry);
            try (Connection session = DriverManager.getConnection(
                            postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
                    Statement statement = session.createStatement()) {
                statement.execute("CREATE TABLE public.wide (id int PRIMARY KEY, body text)");
                statement.execute("INSERT INTO public.wide SELECT i, (SELECT string_agg(md5(i::text || j), '')"
                        + " FROM generate_series(1, 60) j) FROM generate_series(1, 6000) i");
                statement.execute("VACUUM ANALYZE public.wide");
            }
            try (Admin admin = Admin.create(new HashMap<>(kafka.clientProperties()));
                    SourceConnector source = new SourceConnector(migration)) {
                for (int lane = 0; lane < 2; lane++) {
                    slowDown(admin, "wherry-shop-load-" + lane);
                }
                source.start();
                await("within the load").atMost(LIMIT).until(() -> count(migration, "chunk-loaded") >= 2);
                kafka.kill();
                Thread.sleep(AWAY_MILLIS);
                kafka.restart();
                await("loaded").atMost(LIMIT).until(() -> count(migration, "loaded") == 1);
                assertThat(source.done().toCompletableFuture()).isNotDone();
            }
            List<LoadPlan> plans = new ArrayList<>();
            try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
                tail.readAll(record -> {
                    if (LoadPlan.KEY.equals(new String(record.key(), StandardCharsets.UTF_8))) {
                        plans.add(Json.read(record.value(), LoadPlan.class));
                    }
                });
            }
            assertThat(plans).as("one plan under one snapshot").hasSize(1);
        }
    }

    /** With a limit of 6 s instead of 15 minutes, and a producer that is slowed down. */
    @Tag("slow")
    @Test
    void aSourceTransactionLongerThanTheBrokersLimitNeverGetsThroughAndNobodySaysWhy() throws Exception {
        try (ChildProcesses children = new ChildProcesses();
                InMemoryRegistry registry = new InMemoryRegistry()) {
            Path directory = children.temporaryDirectory("wherry-limit");
            Map<String, String> strict = Map.of(
                    "transaction.max.timeout.ms", "6000",
                    "transaction.abort.timed.out.transaction.cleanup.interval.ms", "500");
            EmbeddedKafka kafka = EmbeddedKafka.start(children, directory.resolve("kafka"), strict, Optional.empty());
            EmbeddedPostgres postgres = EmbeddedPostgres.start(children, 15, directory.resolve("source"), Map.of());
            Migration migration = migration(postgres, Map.copyOf(kafka.clientProperties()), registry);
            try (Admin admin = Admin.create(new HashMap<>(kafka.clientProperties()));
                    SourceConnector source = new SourceConnector(migration);
                    Connection session = DriverManager.getConnection(
                            postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
                    Statement statement = session.createStatement()) {
                statement.execute("CREATE TABLE public.wide (id int PRIMARY KEY, body text)");
                source.start();
                await("loaded").atMost(LIMIT).until(() -> count(migration, "loaded") == 1);
                slowDown(admin, "wherry-shop-changes");
                statement.execute("INSERT INTO public.wide SELECT i, (SELECT string_agg(md5(i::text || j), '')"
                        + " FROM generate_series(1, 60) j) FROM generate_series(1, 30000) i");
                await("said").atMost(LIMIT).until(() -> problem(migration).contains("transaction.max.timeout.ms"));
                assertThat(source.done().toCompletableFuture()).isNotDone();
            }
        }
    }

    private static String problem(Migration migration) {
        try (TopicTail tail = new TopicTail(migration, migration.topics().status())) {
            return String.valueOf(
                    Json.read(tail.last().value(), SourceStatus.class).problem());
        }
    }

    private static void slowDown(Admin admin, String producer) throws Exception {
        ClientQuotaEntity who = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, producer));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(
                        who, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 600_000.0)))))
                .all()
                .get();
    }

    private static long count(Migration migration, String key) {
        List<String> keys = new ArrayList<>();
        try (Admin admin = Admin.create(new HashMap<>(migration.kafka()))) {
            if (!admin.listTopics().names().get().contains(migration.topics().control())) {
                return 0;
            }
        } catch (Exception e) {
            return 0;
        }
        try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
            tail.readAll(record -> keys.add(new String(record.key(), StandardCharsets.UTF_8)));
        }
        return keys.stream().filter(key::equals).count();
    }

    private static Migration migration(
            EmbeddedPostgres postgres, Map<String, String> kafka, InMemoryRegistry registry) {
        String url = postgres.jdbcUrl("postgres");
        return MigrationFile.parse(
                        """
                name: shop
                source: {url: "%s", user: "%s", password: "%s"}
                target: {url: "%s", user: "none"}
                registry: {url: "%s"}
                load: {readers: 2, chunk-mebibytes: 1}
                """.formatted(url, postgres.superuser(), postgres.password(), url, registry.url()), Map.of())
                .withServers(kafka, registry.url());
    }
}
