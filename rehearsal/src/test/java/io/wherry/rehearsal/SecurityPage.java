package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The SQL of {@code docs/security.md}, so that what operators read is what the tests run. */
final class SecurityPage {
    private SecurityPage() {}

    /** The statements of the block that {@code <!-- sql: name -->} announces, without semicolons. */
    static List<String> statements(String name) {
        String page;
        try {
            page = Files.readString(Path.of("..", "docs", "security.md"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        String start = "<!-- sql: " + name + " -->\n```sql\n";
        assertThat(page).contains(start);
        int from = page.indexOf(start) + start.length();
        return Stream.of(page.substring(from, page.indexOf("```", from)).split(";\n"))
                .filter(statement -> !statement.isBlank())
                .toList();
    }
}
