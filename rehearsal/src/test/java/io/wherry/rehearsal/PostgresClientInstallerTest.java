package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.embedded.AptSources;
import io.wherry.embedded.Cache;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.Command;
import io.wherry.embedded.EmbeddedPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("embedded-only")
final class PostgresClientInstallerTest {
    @ParameterizedTest
    @CsvSource({"11, 17", "17, 17"})
    void dumpsServersUpToItsOwnVersion(int server, int client) throws Exception {
        PostgresTools tools = new PostgresClientInstaller(Cache.standard()).ensure(client);
        assertThat(tools.major()).isGreaterThanOrEqualTo(client);
        try (ChildProcesses children = new ChildProcesses()) {
            Path directory = children.temporaryDirectory("wherry-test-");
            EmbeddedPostgres postgres = EmbeddedPostgres.start(children, server, directory, Map.of("fsync", "off"));
            String uri = "postgresql://postgres:postgres@127.0.0.1:" + postgres.port() + "/postgres";
            Path dump = directory.resolve("dump");
            run(directory, tools.psql().toString(), uri, "-c", "CREATE TABLE public.dumped (id int)");
            run(directory, tools.pgDump().toString(), "--schema-only", "-Fc", "-f", dump.toString(), uri);
            run(
                    directory,
                    tools.pgRestore().toString(),
                    "-f",
                    directory.resolve("dump.sql").toString(),
                    dump.toString());
            assertThat(Files.readString(directory.resolve("dump.sql"))).contains("CREATE TABLE public.dumped");
        }
    }

    private static void run(Path directory, String... command) {
        Command.run(List.of(command), directory, directory.resolve("tools.log"), Duration.ofMinutes(1), "");
    }

    @Test
    void theMirrorIsTheOneThisMachineUses() {
        assertThat(AptSources.debianMirror(
                        "# deb http://a/debian x main\ndeb [arch=amd64] http://b/debian bookworm main"))
                .isEqualTo("http://b/debian");
        assertThat(AptSources.debianMirror("Types: deb\nURIs: https://c/proxy/debian\nSuites: bookworm\n"))
                .isEqualTo("https://c/proxy/debian");
        assertThat(AptSources.debianMirror("deb http://b/debian-security bookworm-security main\n"))
                .isEqualTo("http://deb.debian.org/debian");
    }
}
