package io.wherry.cli.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.joran.JoranConfigurator;
import ch.qos.logback.classic.util.LogbackMDCAdapter;
import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("no-servers")
class LogFormatTest {
    private final Properties before = (Properties) System.getProperties().clone();

    @AfterEach
    void restore() {
        System.setProperties(before);
    }

    @Test
    void eachEventIsOneLineOfJsonWithoutSecretsAndValuesOfRows() throws Exception {
        LogFormat.choose("json,INFO");
        LogFormat.nameMigration("shop");
        List<JsonNode> events = logged(context -> {
            context.getLogger("io.wherry.sink.load.LoadLane")
                    .error(
                            "Load of {} is stopped: {}",
                            new TableId("public", "orders"),
                            "first\nKey (a)=(hidden) already exists.",
                            new IllegalStateException("PASSWORD 'hidden'", new IOException("inner")));
            context.getLogger("io.wherry.source.Streaming").info("streaming from slot {}", "wherry_shop");
            context.getLogger("io.wherry.coordinator.machine.Facts").debug("not at this level");
        });

        assertThat(events).hasSize(2);
        JsonNode first = events.get(0);
        assertThat(Duration.between(Instant.parse(first.path("timestamp").asText()), Instant.now()))
                .isLessThan(Duration.ofMinutes(10));
        assertThat(first.path("level").asText()).isEqualTo("ERROR");
        assertThat(first.path("service").asText()).isEqualTo("sink-applier");
        assertThat(first.path("migration").asText()).isEqualTo("shop");
        assertThat(first.path("table").asText()).isEqualTo("public.orders");
        assertThat(first.path("logger").asText()).isEqualTo("io.wherry.sink.load.LoadLane");
        assertThat(first.path("thread").asText())
                .isEqualTo(Thread.currentThread().getName());
        assertThat(first.path("message").asText())
                .isEqualTo("Load of public.orders is stopped: first\nKey (a)=(***) already exists.");
        assertThat(first.path("stack").asText())
                .contains("IllegalStateException: PASSWORD '***'", "\tat ", "Caused by: java.io.IOException: inner");
        assertThat(events.get(1).path("service").asText()).isEqualTo("source-connector");
        assertThat(events.get(1).has("table")).isFalse();
        assertThat(events.get(1).has("stack")).isFalse();
    }

    @Test
    void aWordThatIsNeitherLevelNorFormatIsRefused() {
        assertThatThrownBy(() -> LogFormat.choose("INFO,jsno"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("WHERRY_LOG", "'jsno' is not known");
    }

    @Test
    void aLevelAloneLeavesTheLogInText() {
        LogFormat.choose("debug");
        assertThat(LogFormat.isJson()).isFalse();
        assertThat(System.getProperty("wherry.log.level")).isEqualTo("DEBUG");
    }

    private interface Logging {
        void with(LoggerContext context);
    }

    /** What the configuration that users get writes to standard error. */
    private static List<JsonNode> logged(Logging logging) throws Exception {
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream error = System.err;
        System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
        LoggerContext context = new LoggerContext();
        context.setMDCAdapter(new LogbackMDCAdapter());
        try {
            JoranConfigurator configurator = new JoranConfigurator();
            configurator.setContext(context);
            configurator.doConfigure(LogFormat.class.getResource("/logback.xml"));
            logging.with(context);
        } finally {
            context.stop();
            System.setErr(error);
        }
        List<JsonNode> events = new ArrayList<>();
        for (String line : said.toString(StandardCharsets.UTF_8).split("\n")) {
            events.add(Json.mapper().readTree(line));
        }
        return events;
    }
}
