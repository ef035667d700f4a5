package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.cli.Wherry;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What others alter on the topics of a migration is named by {@code check}, with a remedy that helps. */
@EveryThirdDay(1)
class TopicCareTest {
    private static final Pattern REMEDY = Pattern.compile(
            "kafka-configs\\.sh --bootstrap-server \\S+ --alter --entity-type topics --entity-name (\\S+) --add-config (\\S+)");

    private MigrationFixture migration;

    @Test
    void whatOthersAlteredOnTheTopicsIsNamedAndTheRemedyHelps() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("cared", 15, 15)) {
            migration = fixture;
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.numbered (id serial PRIMARY KEY)",
                    "INSERT INTO public.numbered SELECT generate_series(1, 10)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            String changes = migration.migration().topics().changes(new TableId("public", "numbered"));
            String load = migration.migration().topics().load();
            String seen = migration.migration().topics().lastSeen();
            String control = migration.migration().topics().control();
            migration.stopServices();
            assertThat(check()).doesNotContain("topic ");

            try (Admin admin = KafkaClients.admin(migration.migration())) {
                set(admin, seen, "retention.ms=604800000");
                set(admin, load, "retention.bytes=1000000000,min.insync.replicas=3");
                set(admin, control, "max.message.bytes=100000");
                set(admin, changes, "cleanup.policy=compact");
                admin.createPartitions(Map.of(changes, NewPartitions.increaseTo(4)))
                        .all()
                        .get();

                String said = check();
                assertThat(said)
                        .contains("warning: topic " + seen + ": has retention.ms=604800000, so it may lose records")
                        .contains("warning: topic " + load + ": has retention.bytes=1000000000, so it may lose records")
                        .contains("error: topic " + load + ": has min.insync.replicas=3, and 1 replicas")
                        .contains("warning: topic " + control + ": has max.message.bytes=100000")
                        .contains("warning: topic " + changes + ": has cleanup.policy=compact, so it may lose records")
                        .contains(
                                "warning: topic " + changes + ": has 4 partitions, and 1 of them are written and read");

                set(admin, load, "cleanup.policy=compact");
                assertThat(check())
                        .as("no command helps once records may be gone")
                        .contains("error: topic " + load + ": has cleanup.policy=compact, so records may be missing")
                        .doesNotContain("--entity-name " + load + " --add-config cleanup.policy");
                set(admin, load, "cleanup.policy=delete");

                List<MatchResult> remedies = REMEDY.matcher(said).results().toList();
                assertThat(remedies).hasSize(5);
                for (MatchResult remedy : remedies) {
                    set(admin, remedy.group(1), remedy.group(2));
                }
                assertThat(check())
                        .contains("topic " + changes + ": has 4 partitions")
                        .doesNotContain("retention", "max.message.bytes", "min.insync.replicas", "cleanup.policy");

                try (TopicTail tail = new TopicTail(migration.migration(), seen)) {
                    long end = tail.last().offset() + 1;
                    admin.deleteRecords(Map.of(new TopicPartition(seen, 0), RecordsToDelete.beforeOffset(end)))
                            .all()
                            .get();
                }
            }
            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "cared_rebuilt");
            rebuilt.assertDone(rebuilt.rebuild());
            assertThat(rebuilt.said())
                    .contains("missing: values of sequences: the topic last-seen has lost its first records");
            assertThat(migration.number(rebuilt.endpoint(), "SELECT nextval('public.numbered_id_seq')"))
                    .isEqualTo(11);
        }
    }

    private String check() {
        StringWriter text = new StringWriter();
        CommandLine commands = Wherry.commandLine();
        commands.setOut(new PrintWriter(text, true));
        commands.setErr(new PrintWriter(text, true));
        commands.execute("check", "-f", migration.directory.resolve("m.yaml").toString());
        return text.toString();
    }

    /** What kafka-configs.sh --alter --add-config does. */
    private static void set(Admin admin, String topic, String settings) throws Exception {
        List<AlterConfigOp> ops = Pattern.compile(",")
                .splitAsStream(settings)
                .map(setting -> setting.split("=", 2))
                .map(setting -> new AlterConfigOp(new ConfigEntry(setting[0], setting[1]), OpType.SET))
                .toList();
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), ops))
                .all()
                .get();
    }
}
