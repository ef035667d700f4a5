package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.Wherry;
import io.wherry.contract.config.Endpoint;
import io.wherry.embedded.FreePorts;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine;

/**
 * A database beside the target of a migration, and the command that makes it from the topics alone: its file names a source and a
 * first target where nothing listens.
 */
public final class RebuiltDatabase {
    private final MigrationFixture migration;
    private final String database;
    private final Path file;
    private String said = "";

    public RebuiltDatabase(MigrationFixture migration, String database) throws IOException {
        this.migration = migration;
        this.database = database;
        RehearsalDatabase.create(migration.target(), database);
        int nobody = FreePorts.next();
        file = migration.directory.resolve(database + ".yaml");
        Files.writeString(
                file,
                Files.readString(migration.directory.resolve("m.yaml"))
                        .replace("127.0.0.1:" + migration.source().port() + "/", "127.0.0.1:" + nobody + "/")
                        .replace("127.0.0.1:" + migration.target().port() + "/", "127.0.0.1:" + nobody + "/"));
    }

    public Endpoint endpoint() {
        return RehearsalDatabase.endpoint(migration.target(), database, RehearsalDatabase.OPERATOR);
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
        StringWriter text = new StringWriter();
        CommandLine commands = Wherry.commandLine();
        commands.setOut(new PrintWriter(text, true));
        commands.setErr(new PrintWriter(text, true));
        int code = commands.execute(arguments(more));
        said = text.toString();
        return code;
    }

    /** What the command printed. */
    public String said() {
        return said;
    }

    /** Rows and schema are those of the source. */
    public void assertEqualsSource() throws Exception {
        migration.assertSourceEquals(database);
    }

    /** Rows, without those of extensions, and schema are those of the first target. */
    public void assertEqualsTarget() throws Exception {
        migration.assertTargetEquals(database);
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
