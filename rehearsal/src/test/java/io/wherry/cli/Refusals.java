package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;

/** Makes {@code check} refuse, keeps the printed lines, and runs the offered SQL. */
abstract class Refusals {
    private static final Pattern URL = Pattern.compile("url: \"([^\"]+)\"");

    @TempDir
    private Path directory;

    private final Set<String> said = new TreeSet<>();
    private int ran;

    /** Every error and warning line so far. */
    Set<String> said() {
        return said;
    }

    /** The number of lines whose offered SQL was run. */
    int remediesRun() {
        return ran;
    }

    /** Keeps the lines that {@code check} prints, and runs nothing. */
    void note(String source, String target, String more) throws IOException {
        said.addAll(lines(source, target, more));
    }

    static String url(EmbeddedPostgres server, String database) {
        return "{url: \"" + server.jdbcUrl(database) + "\", user: postgres, password: postgres}";
    }

    /**
     * Keeps the lines that {@code check} prints; it must refuse. Then runs the offered SQL: after that, check must not print
     * these lines again.
     */
    void check(String source, String target, String more) throws Exception {
        Set<String> refused = lines(source, target, more);
        said.addAll(refused);
        Set<String> left = new TreeSet<>(refused);
        // One statement may be the remedy for several lines.
        Set<String> done = new HashSet<>();
        for (String line : refused) {
            Optional<OfferedSql> offered = OfferedSql.of(line);
            if (offered.isPresent()) {
                run(offered.get(), offered.get().onTarget() ? target : source, line, done);
                left.remove(line);
                ran++;
            }
        }
        // A setting of ALTER SYSTEM takes effect a moment after pg_reload_conf.
        await("the remedies help")
                .untilAsserted(() -> assertThat(lines(source, target, more)).isSubsetOf(left));
    }

    private Set<String> lines(String source, String target, String more) throws IOException {
        Path file = Files.writeString(
                directory.resolve("m.yaml"),
                "name: shop\nsource: " + source + "\ntarget: " + target + "\n" + more + "\n");
        StringWriter out = new StringWriter();
        int code = Wherry.commandLine()
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(out))
                .execute("check", "-f", file.toString());
        Set<String> lines = out.toString()
                .lines()
                .filter(line -> line.startsWith("error: ") || line.startsWith("warning: "))
                .collect(Collectors.toCollection(TreeSet::new));
        boolean refuses = lines.stream().anyMatch(line -> line.startsWith("error: "));
        assertThat(code).as(out.toString()).isEqualTo(refuses ? ExitCode.CONFIGURATION : 0);
        return lines;
    }

    private static void run(OfferedSql offered, String server, String line, Set<String> done) {
        Matcher url = URL.matcher(server);
        assertThat(url.find()).isTrue();
        try (Connection connection = DriverManager.getConnection(url.group(1), "postgres", "postgres");
                Statement statement = connection.createStatement()) {
            for (String sql : offered.statements()) {
                if (done.add(sql)) {
                    statement.execute(sql);
                }
            }
        } catch (SQLException e) {
            throw new AssertionError("the remedy of " + line, e);
        }
    }

    static void execute(EmbeddedPostgres server, String database, String... statements) throws SQLException {
        try (Connection connection =
                        DriverManager.getConnection(server.jdbcUrl(database), "postgres", server.password());
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }
}
