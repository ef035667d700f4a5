package io.wherry.cli;

import io.wherry.cli.log.LogFormat;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The options of every command on a migration. */
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
            description = "directory of the embedded broker and registry and of the token (default: ${DEFAULT-VALUE})")
    private Path data;

    Migration read() {
        Migration migration = MigrationFile.read(file);
        LogFormat.nameMigration(migration.name());
        return migration;
    }

    /** Directory of this migration's state on this machine. */
    Path directory(Migration migration) {
        return data.toAbsolutePath().resolve(migration.name());
    }
}
