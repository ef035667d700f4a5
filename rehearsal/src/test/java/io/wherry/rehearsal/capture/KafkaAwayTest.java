package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.rehearsal.fixture.InMemoryRegistry;
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
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The broker is away for longer than its clients wait. The clients are set to wait for seconds instead of minutes. */
@Tag("embedded-only")
class KafkaAwayTest {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final long AWAY_MILLIS = 9_000;

    @Test
    void aBrokerThatIsAwayForMinutesDoesNotEndTheLoadAndItsSnapshot() throws Exception {
        try (ChildProcesses children = new ChildProcesses();
                InMemoryRegistry registry = new InMemoryRegistry()) {
            Path directory = children.temporaryDirectory("wherry-away");
            EmbeddedKafka kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
            EmbeddedPostgres postgres = EmbeddedPostgres.start(children, 15, directory.resolve("source"), Map.of());
            Migration migration = migration(postgres, kafka, registry);
            try (Connection session = DriverManager.getConnection(
                            postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
                    Statement statement = session.createStatement()) {
                statement.execute("CREATE TABLE public.wide (id int PRIMARY KEY, body text)");
                statement.execute("INSERT INTO public.wide SELECT i, (SELECT string_agg(md5(i::text || j), '')"
                        + " FROM generate_series(1, 60) j) FROM generate_series(1, 6000) i");
                statement.execute("VACUUM ANALYZE public.wide");
            }
            try (Admin admin = Admin.create(new HashMap<>(kafka.clientProperties()));
                    SourceConnector source =
                            new SourceConnector(Flow.first(migration).groups().get(0))) {
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

    private static Migration migration(EmbeddedPostgres postgres, EmbeddedKafka kafka, InMemoryRegistry registry) {
        String url = postgres.jdbcUrl("postgres");
        Map<String, String> impatient = new HashMap<>(kafka.clientProperties());
        impatient.putAll(Map.of("request.timeout.ms", "2000", "delivery.timeout.ms", "4000", "max.block.ms", "3000"));
        return MigrationFile.parse(
                        """
                name: shop
                source: {url: "%s", user: "%s", password: "%s"}
                target: {url: "%s", user: "none"}
                registry: {url: "%s"}
                load: {readers: 2, chunk-mebibytes: 1}
                """.formatted(url, postgres.superuser(), postgres.password(), url, registry.url()), Map.of())
                .withServers(impatient, registry.url());
    }
}
