package io.wherry.rehearsal.verify;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.cli.Wherry;
import io.wherry.contract.record.Json;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;

/** {@code wherry verify} for one migration, as an operator types it. */
record VerifyCommandLine(MigrationFixture migration) {
    /** What a command has answered. */
    record Said(int code, String text) {
        JsonNode json() throws Exception {
            return Json.mapper().readTree(text);
        }
    }

    Said verify(String... arguments) {
        StringWriter text = new StringWriter();
        List<String> all = new ArrayList<>(List.of("verify"));
        all.addAll(List.of(arguments));
        all.addAll(List.of(
                "-f",
                migration.directory.resolve("m.yaml").toString(),
                "--data",
                migration.directory.resolve("state").toString()));
        int code = Wherry.commandLine()
                .setOut(new PrintWriter(text, true))
                .setErr(new PrintWriter(text, true))
                .execute(all.toArray(String[]::new));
        return new Said(code, text.toString());
    }
}
