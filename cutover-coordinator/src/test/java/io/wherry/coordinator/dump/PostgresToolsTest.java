package io.wherry.coordinator.dump;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.CacheDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PostgresToolsTest {
    @TempDir
    Path directory;

    @Test
    void takesTheNewestAndRefusesAnOlderOneThanWanted() throws IOException {
        List<Path> directories = List.of(client(15), client(17), client(16), directory.resolve("nothing"));

        assertThat(PostgresTools.best(directories, 11)).isEqualTo(new PostgresTools(directories.get(1), 17));
        assertThatThrownBy(() -> PostgresTools.best(directories, 18))
                .isInstanceOf(PostgresToolsException.class)
                .hasMessageContaining("PostgreSQL 18 or newer")
                .hasMessageContaining("17 in " + directories.get(1))
                .hasMessageContaining("WHERRY_PG_BIN");
    }

    @Test
    void aDirectoryChosenByTheOperatorIsTheOnlyOne() {
        assertThat(PostgresTools.candidates(Map.of("WHERRY_PG_BIN", "/chosen", "PATH", "/bin"), directory))
                .containsExactly(Path.of("/chosen"));
    }

    @Test
    void aClientBeingUnpackedIsNotSeen() throws IOException {
        Files.createDirectories(directory.resolve("postgresql-client-17.partial/bin"));
        Path whole = Files.createDirectories(directory.resolve("postgresql-client-18/bin"));
        assertThat(PostgresTools.candidates(Map.of(), directory))
                .filteredOn(candidate -> candidate.startsWith(directory))
                .containsExactly(whole);
    }

    @Test
    void rootsCacheIsOutsideItsHome() {
        Path home = Path.of("/home/ann");
        assertThat(CacheDirectory.locate(Map.of(), "root", Path.of("/root"))).isEqualTo(Path.of("/var/cache/wherry"));
        assertThat(CacheDirectory.locate(Map.of(), "ann", home)).isEqualTo(home.resolve(".cache/wherry"));
        assertThat(CacheDirectory.locate(Map.of("WHERRY_CACHE", "/x"), "ann", home))
                .isEqualTo(Path.of("/x"));
    }

    private Path client(int major) throws IOException {
        Path bin = Files.createDirectories(directory.resolve("client-" + major));
        for (String program : List.of("pg_dump", "pg_restore", "psql")) {
            Path file = Files.writeString(
                    bin.resolve(program), "#!/bin/sh\necho '" + program + " (PostgreSQL) " + major + ".1 (Debian)'\n");
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        return bin;
    }
}
