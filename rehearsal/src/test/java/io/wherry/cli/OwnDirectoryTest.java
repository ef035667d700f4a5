package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("no-servers")
class OwnDirectoryTest {
    private static final String USER = System.getProperty("user.name");

    @TempDir
    private Path system;

    @Test
    void unpackedLibrariesOfKilledProcessesAreRemoved() throws Exception {
        Path running = OwnDirectory.begin(system, USER);
        Path library = Files.createFile(running.resolve("liblz4-java-1.so"));
        Path killed = Files.createDirectory(running.resolveSibling("4194999-1700000000000"));
        Files.createFile(killed.resolve("libzstd-jni-1.so"));
        Path another = Files.createDirectory(
                running.resolveSibling(ProcessHandle.current().pid() + "-1"));

        assertThat(OwnDirectory.begin(system, USER)).isEqualTo(running);
        assertThat(killed).doesNotExist();
        assertThat(another)
                .as("directory of an earlier process with the same number")
                .doesNotExist();
        assertThat(library).as("library of a process that runs").exists();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(running)))
                .isEqualTo("rwx------");
    }

    @Test
    void aLinkOfAnotherUserIsNotFollowed() throws Exception {
        Path elsewhere = Files.createDirectory(system.resolve("elsewhere"));
        Path precious = Files.createDirectory(elsewhere.resolve("4194999-1700000000000"));
        Files.createSymbolicLink(system.resolve("wherry-" + USER), elsewhere);
        assertThat(OwnDirectory.begin(system, USER).getParent()).isEqualTo(system);
        assertThat(precious).exists();
    }
}
