package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.Position;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.soak.TopicAudit;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;

/**
 * A source transaction that is longer than the broker lets a Kafka transaction be: it comes in parts, and the source-connector is
 * killed between them. The target's role has its constraints checked, so the target refuses a part that moves the values of a
 * deferrable constraint: the sink-applier holds that part back until the transaction is whole.
 */
@Tag("embedded-only")
@EveryThirdDay(0)
class LongTransactionTest {
    private static final int ROWS = 40_000;
    private static final String[] TABLES = {"log", "place", "hot"};

    @Test
    void aTransactionOfAnyLengthComesInPartsAndNoRowTwice() throws Exception {
        try (ChildProcesses processes = new ChildProcesses();
                EmbeddedKafka kafka = EmbeddedKafka.start(
                        processes,
                        processes.temporaryDirectory("wherry-long"),
                        Map.of("transaction.max.timeout.ms", "60000"),
                        Optional.empty());
                MigrationFixture migration = MigrationFixture.alone("long", 15, 15)) {
            migration.file("");
            migration.configure(SharedBroker.yaml(), yaml(kafka));
            migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: {public.hot: 3}}");
            prepare(migration);
            migration.startCoordinator();
            migration.startProcess("source");
            migration.startSink();
            migration.awaitState(State.IN_SYNC);

            writeOneTransaction(migration);
            CaptureGroup group = migration.group();
            Position.Part first = awaitPart(group, Optional.empty());
            migration.kill("source");
            Position.Part reached = Positions.last(group).orElseThrow().part();
            assertThat(reached).as("killed within the transaction").isNotNull();
            assertThat(reached.commitLsn()).isEqualTo(first.commitLsn());
            migration.startProcess("source");
            assertThat(awaitPart(group, Optional.of(reached)).commitLsn()).isEqualTo(first.commitLsn());
            await("whole")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> Positions.cover(migration.flow(), first.commitLsn()));

            migration.awaitState(State.IN_SYNC);
            assertThat(new TopicAudit(migration.migration())
                            .look(Stream.of(TABLES)
                                    .map(table -> migration.migration().topics().changes(new TableId("public", table)))
                                    .toList()))
                    .isEmpty();
            migration.cutOverAndCompare();
        }
    }

    private static Position.Part awaitPart(CaptureGroup group, Optional<Position.Part> after) {
        return await("part of a transaction")
                .atMost(MigrationFixture.PATIENCE)
                .pollInterval(Duration.ofMillis(20))
                .until(
                        () -> Positions.last(group)
                                .map(Position::part)
                                .filter(part -> after.isEmpty()
                                        || part.order() > after.get().order()),
                        Optional::isPresent)
                .orElseThrow();
    }

    private static String yaml(EmbeddedKafka kafka) {
        return new String(Json.write(kafka.clientProperties()), StandardCharsets.UTF_8);
    }

    private static void prepare(MigrationFixture migration) throws Exception {
        migration.execute(
                migration.migration().source(),
                "CREATE TABLE public.log (at int, body text)",
                "CREATE TABLE public.place (id int PRIMARY KEY, pos int, body text, UNIQUE (pos) DEFERRABLE)",
                "CREATE TABLE public.hot (id int PRIMARY KEY, body text)",
                "INSERT INTO public.place SELECT i, i, repeat('p', 1000) FROM generate_series(1, " + ROWS + ") i",
                "INSERT INTO public.hot SELECT i, repeat('h', 1000) FROM generate_series(1, " + ROWS / 4 + ") i");
        migration.execute(
                migration.migration().target(),
                "ALTER DATABASE " + Identifiers.quote(migration.database()) + " OWNER TO wherry",
                "ALTER SCHEMA public OWNER TO wherry",
                "ALTER ROLE wherry NOSUPERUSER");
    }

    /** COPY writes several rows as one WAL record. The keys of {@code hot} change within and between its partitions. */
    private static void writeOneTransaction(MigrationFixture migration) throws Exception {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < ROWS; i++) {
            rows.append(i % 7).append('\t').append("l".repeat(1000)).append('\n');
        }
        try (Connection session = Sessions.open(
                        migration.migration(), migration.migration().source(), "writer");
                Statement statement = session.createStatement()) {
            session.setAutoCommit(false);
            statement.execute("UPDATE public.place SET pos = pos % " + ROWS + " + 1, body = repeat('q', 1000)");
            copy(session, rows);
            statement.execute("UPDATE public.hot SET id = id + " + ROWS);
            statement.execute("UPDATE public.hot SET body = repeat('i', 1000)");
            copy(session, rows);
            statement.execute("UPDATE public.hot SET id = id - 7");
            session.commit();
        }
    }

    private static void copy(Connection session, StringBuilder rows) throws Exception {
        session.unwrap(PGConnection.class)
                .getCopyAPI()
                .copyIn("COPY public.log FROM STDIN", new StringReader(rows.toString()));
    }
}
