package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.wherry.embedded.Command;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The alert rules as Prometheus itself reads and runs them. */
final class AlertRulesTest {
    @TempDir
    private Path directory;

    @Test
    void prometheusAcceptsTheConfigurationAndTheRulesFireAsTheirTestsSay() throws Exception {
        Path rules = Monitoring.RULES.toRealPath().getParent();
        String promtool = Monitoring.promtool().toString();
        run(rules, promtool, "check", "config", "prometheus.yml");
        run(rules, promtool, "test", "rules", "rules_test.yml");
        assertThat(directory.resolve("promtool.log")).content().contains("13 rules found", "SUCCESS");
    }

    @Test
    void eachAlertSaysWhatToDoAndHasATest() throws Exception {
        String tests = Files.readString(Monitoring.RULES_TEST);
        List<String> names = new ArrayList<>();
        for (JsonNode rule :
                new YAMLMapper().readTree(Files.readString(Monitoring.RULES)).at("/groups/0/rules")) {
            String name = rule.path("alert").asText();
            names.add(name);
            assertThat(rule.at("/annotations/summary").asText()).as(name).isNotBlank();
            assertThat(rule.at("/annotations/description").asText()).as(name).hasSizeGreaterThan(60);
            assertThat(tests).contains(name);
        }
        assertThat(names).hasSize(13).doesNotHaveDuplicates();
    }

    private void run(Path rules, String... command) {
        Command.run(List.of(command), rules, directory.resolve("promtool.log"), Duration.ofMinutes(1), "");
    }
}
