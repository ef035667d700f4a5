package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.Wherry;
import io.wherry.contract.config.Endpoint;
import io.wherry.embedded.FreePorts;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import picocli.CommandLine;

/**
 * A database beside the target of a migration, and the command that makes it from the topics alone: its file names a source and a
 * first target where nothing listens.
 */
public final class RebuiltDatabase {
    /** Rows of load and changes that a target has applied. */
    static final String APPLIED = "SELECT coalesce(sum(inserts + updates + deletes), 0)"
            + " + (SELECT coalesce(sum(rows), 0) FROM wherry.chunk) FROM wherry.relation";

    private static final String DONE = "SELECT count(*) FROM wherry.rebuild WHERE done_at IS NOT NULL";

    private final MigrationFixture migration;
    private final PostgresServer server;
    private final String database;
    private final Path file;
    private String said = "";

    public RebuiltDatabase(MigrationFixture migration, String database) throws IOException {
        this(migration, migration.target(), database);
    }

    /** On a server that has the roles of a rehearsal. */
    RebuiltDatabase(MigrationFixture migration, PostgresServer server, String database) throws IOException {
        this.migration = migration;
        this.server = server;
        this.database = database;
        RehearsalDatabase.create(server, database);
        int nobody = FreePorts.next();
        file = migration.directory.resolve(database + ".yaml");
        Files.writeString(
                file,
                Files.readString(migration.directory.resolve("m.yaml"))
                        .replace("127.0.0.1:" + migration.source().port() + "/", "127.0.0.1:" + nobody + "/")
                        .replace("127.0.0.1:" + migration.target().port() + "/", "127.0.0.1:" + nobody + "/"));
    }

    public Endpoint endpoint() {
        return RehearsalDatabase.endpoint(server, database, RehearsalDatabase.OPERATOR);
    }

    public String[] arguments(String... more) {
        List<String> all = new ArrayList<>();
        for (String word : documented().split(" ")) {
            all.add(
                    word.equals("m.yaml")
                            ? file.toString()
                            : word.startsWith("jdbc:") ? endpoint().url() : word);
        }
        all.remove(0);
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    /** The command of docs/operations.md. */
    private static String documented() {
        try (Stream<String> lines = Files.lines(Path.of("..", "docs", "operations.md"))) {
            return lines.filter(line -> line.startsWith("./wherry rebuild "))
                    .findFirst()
                    .orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs the command in this JVM. @return its exit code */
    public int rebuild(String... more) {
        return run(arguments(more));
    }

    private int run(String... arguments) {
        StringWriter text = new StringWriter();
        CommandLine commands = Wherry.commandLine();
        commands.setOut(new PrintWriter(text, true));
        commands.setErr(new PrintWriter(text, true));
        int code = commands.execute(arguments);
        said = text.toString();
        return code;
    }

    /**
     * Starts the command as a process and kills it, several times, at moments spread over the rows that it has to apply. It may be
     * done before the last of them.
     *
     * @param all rows of load and changes, by {@link #APPLIED}
     */
    void killAtRandom(int kills, long all, SplittableRandom random) {
        for (long enough : random.longs(kills, 0, all).sorted().toArray()) {
            migration.startCommand("rebuild", Optional.empty(), arguments());
            await("some is applied")
                    .atMost(MigrationFixture.PATIENCE)
                    .pollInterval(Duration.ofMillis(10))
                    .until(() -> !migration.isAlive("rebuild") || at(APPLIED) >= enough || at(DONE) > 0);
            if (migration.isAlive("rebuild")) {
                migration.kill("rebuild");
            } else {
                assertThat(migration.awaitEnd("rebuild"))
                        .as(migration.log("rebuild"))
                        .isZero();
            }
        }
    }

    /** A number from the database; -1 while the queried object does not exist yet. */
    private long at(String sql) {
        try {
            return migration.number(endpoint(), sql);
        } catch (IllegalStateException e) {
            return -1;
        }
    }

    /** The product's own comparison with the first target finds every row equal. */
    void assertVerified() throws IOException {
        Path compared = migration.directory.resolve(database + "-compared.yaml");
        Files.writeString(compared, """
                name: compared
                source: {url: "%s", user: %s, password: %s}
                target: {url: "%s", user: %s, password: %s}
                """.formatted(
                        migration.migration().target().url(),
                        migration.migration().target().user(),
                        migration.migration().target().password(),
                        endpoint().url(),
                        endpoint().user(),
                        endpoint().password()));
        assertThat(run("verify", "--full", "-f", compared.toString())).as(said).isZero();
        assertThat(said).contains(", 0 different");
    }

    /** What the command printed. */
    public String said() {
        return said;
    }

    /** Rows and schema are those of the source. */
    public void assertEqualsSource() throws Exception {
        migration.assertSourceEquals(database);
    }

    /** Rows, without those of extensions, and schema are those of the first target, which serves since the cutover. */
    public void assertEqualsTarget() throws Exception {
        assertRowsEqualTarget();
        migration.assertSchemaEquals(migration.target(), server, database);
    }

    /** Before the cutover the first target lacks what waits for it: foreign keys, triggers and the like. */
    void assertRowsEqualTarget() throws Exception {
        migration.assertRowsEqual(migration.migration().target(), endpoint());
    }

    /** Rows and schema are those of a source of the same version, wherever this database is. */
    void assertEqualsSourceOfItsVersion() throws Exception {
        migration.assertRowsEqual(migration.migration().source(), endpoint());
        migration.assertSchemaEquals(migration.source(), server, database);
    }

    /** Waits until Kafka has whatever the coordinator did to the schema. */
    public static void awaitSchemaInKafka(MigrationFixture migration) {
        await("schema events are in Kafka")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM wherry.schema_event") == 0);
    }

    public void assertDone(int code) {
        assertThat(code).as(said).isZero();
    }
}
