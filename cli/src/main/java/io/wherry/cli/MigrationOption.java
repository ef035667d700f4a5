package io.wherry.cli;

import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The options that every command on a migration has. */
final class MigrationOption {
    @Option(
            names = {"-f", "--file"},
            required = true,
            paramLabel = "m.yaml",
            description = "the migration's file")
    private Path file;

    @Option(
            names = "--data",
            paramLabel = "DIR",
            defaultValue = "data",
            description = "where the embedded broker and registry and the token live (default: ${DEFAULT-VALUE})")
    private Path data;

    Migration read() {
        return MigrationFile.read(file);
    }

    /** Directory of this migration's own state on this machine. */
    Path directory(Migration migration) {
        return data.toAbsolutePath().resolve(migration.name());
    }
}
