package io.wherry.contract.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.wherry.contract.config.Migration.Address;
import io.wherry.contract.config.Migration.Apply;
import io.wherry.contract.config.Migration.Cutover;
import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Load;
import io.wherry.contract.config.Migration.Reading;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.contract.config.Migration.Views;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads a migration's YAML file. Reports all problems at once; for an unknown key it names the nearest known key. */
public final class MigrationFile {
    private MigrationFile() {}

    /** @throws ConfigurationException with every problem in the file */
    public static Migration read(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (IOException e) {
            throw new ConfigurationException(
                    file.toString(), "cannot be read", "Give the path of a migration file: -f m.yaml");
        }
        return parse(text, System.getenv());
    }

    /** @param environment for {@code ${env:X}} */
    public static Migration parse(String yaml, Map<String, String> environment) {
        JsonNode root;
        try {
            root = YAMLMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build()
                    .readTree(yaml);
        } catch (JsonProcessingException e) {
            throw new ConfigurationException(
                    "line " + (e.getLocation() == null ? "?" : e.getLocation().getLineNr()),
                    "not valid YAML: "
                            + e.getOriginalMessage().lines().findFirst().orElse(""),
                    "See docs/configuration.md for an example");
        }
        List<Finding> problems = new ArrayList<>();
        Settings settings = new Settings("", root, problems, environment);
        Migration migration = migration(settings);
        settings.rejectUnknown();
        if (!problems.isEmpty()) {
            throw new ConfigurationException(problems);
        }
        return migration;
    }

    private static Migration migration(Settings root) {
        String name = root.filled("name").orElseGet(() -> root.missing("name", "a short name, such as shop"));
        // Slot names allow 63 characters of [a-z0-9_], and Wherry's slot names begin with wherry_.
        if (!name.isEmpty() && !name.matches("[a-z][a-z0-9-]{0,39}")) {
            root.problem("name", "'" + name + "' is not usable", "Use up to 40 of a-z, 0-9 and -, a letter first");
        }
        Settings target = root.section("target");
        Migration migration = new Migration(
                name,
                endpoint(root.section("source")),
                endpoint(target),
                target.choice("schema", TargetSchemaMode.CREATE, TargetSchemaMode.class),
                tables(root.section("tables")),
                kafka(root.section("kafka")),
                registryUrl(root.section("registry")),
                registryAccess(root.section("registry")),
                load(root.section("load")),
                apply(root.section("apply")),
                verify(root.section("verify")),
                cutover(root.section("cutover")),
                http(root.section("http")),
                target.section("role-map").properties());
        if (!migration.kafka().isEmpty() && migration.registryUrl().isEmpty()) {
            root.problem(
                    "registry.url",
                    "is missing",
                    "Your own broker needs a registry that also outlives Wherry's processes");
        }
        return migration;
    }

    private static Endpoint endpoint(Settings section) {
        String url = section.filled("url")
                .orElseGet(() -> section.missing("url", "a JDBC URL, jdbc:postgresql://host:5432/database"));
        if (!url.isEmpty()) {
            ServerAddress.problems(url).forEach(p -> section.problem("url", p.problem(), p.remedy()));
        }
        String user = section.filled("user").orElseGet(() -> section.missing("user", "the role to log in as"));
        return new Endpoint(url, user, section.text("password").orElse(""));
    }

    private static Tables tables(Settings section) {
        List<String> include = section.texts("include");
        return new Tables(
                include.isEmpty() ? List.of("*") : include,
                section.texts("exclude"),
                section.section("where").properties(),
                section.texts("load-only"),
                section.texts("whole"));
    }

    private static Map<String, String> kafka(Settings section) {
        Map<String, String> properties = section.properties();
        if (!properties.isEmpty() && !properties.containsKey("bootstrap.servers")) {
            section.missing("bootstrap.servers", "host:port of a broker; leave out kafka for the embedded one");
        }
        return properties;
    }

    private static Load load(Settings section) {
        return new Load(
                section.number("readers", 4, 1, 64),
                (long) section.number("chunk-mebibytes", Load.CHUNK_MEBIBYTES, 1, 4096) << 20,
                section.number("retries", Load.RETRIES, 0, 100));
    }

    private static Optional<String> registryUrl(Settings section) {
        Optional<String> url = section.text("url");
        if (url.isPresent() && !url.get().matches("https?://[^/@]+(/[^@]*)?")) {
            section.problem(
                    "url",
                    "is not an http or https address",
                    "Write http://host:port/path; a login goes into registry.user and registry.password");
        }
        return url;
    }

    private static Map<String, String> registryAccess(Settings section) {
        Map<String, String> access = new HashMap<>(section.prefixed("ssl."));
        section.text("user").ifPresent(user -> access.put("user", user));
        section.text("password").ifPresent(password -> access.put("password", password));
        return Map.copyOf(access);
    }

    private static Apply apply(Settings section) {
        Map<String, Integer> partitions = new HashMap<>();
        Settings tables = section.section("partitions");
        tables.names().forEach(table -> partitions.put(table, tables.number(table, 1, 1, 256)));
        return new Apply(section.number("workers", 4, 1, 64), Map.copyOf(partitions));
    }

    private static Verify verify(Settings section) {
        return new Verify(
                section.flag("witness", Verify.DEFAULT.witness()),
                section.number("load", Verify.DEFAULT.load(), 1, 100),
                section.number("sessions", Verify.DEFAULT.sessions(), 1, 32),
                section.duration("whole-within", Verify.DEFAULT.wholeWithin()),
                section.duration("max-age", Verify.DEFAULT.maxAge()));
    }

    private static Cutover cutover(Settings section) {
        return new Cutover(
                section.duration("max-lag", Duration.ofSeconds(2)),
                section.duration("stable-for", Duration.ofSeconds(30)),
                section.duration("max-downtime", Duration.ofSeconds(10)),
                section.choice("materialized-views", Views.IN_WINDOW, Views.class),
                section.section("fence").choice("mode", FenceMode.NO_LOGIN, FenceMode.class),
                section.section("fence").texts("except"),
                traffic(section.section("switch")));
    }

    private static Switch traffic(Settings section) {
        String kind = section.text("kind").orElse("none");
        List<String> command = section.texts("command");
        switch (kind) {
            case "none" -> {
                return new Switch.None();
            }
            case "command" -> {
                if (command.isEmpty()) {
                    section.missing("command", "the executable and its arguments, as a list");
                }
                return new Switch.Command(command, section.texts("environment"));
            }
            default -> {
                section.problem("kind", "'" + kind + "' is not known", "Use none or command");
                return new Switch.None();
            }
        }
    }

    private static Http http(Settings section) {
        Address listen = address(section, "listen", section.text("listen").orElse("127.0.0.1:8080"));
        Optional<String> token = section.text("token");
        if (token.isPresent() && token.get().isBlank()) {
            section.problem(
                    "token", "is empty", "Leave the key out, and Wherry creates a token; or give a long random text");
        }
        if (!listen.isLoopback() && token.isEmpty()) {
            section.problem(
                    "token",
                    "is missing",
                    "An address beyond loopback needs a token: write token: ${env:WHERRY_TOKEN}");
        }
        return new Http(
                listen.host(),
                listen.port(),
                token,
                section.texts("names"),
                section.choice("reading", Reading.FREE, Reading.class),
                section.filled("source").map(text -> address(section, "source", text)),
                section.filled("sink").map(text -> address(section, "sink", text)));
    }

    private static Address address(Settings section, String key, String text) {
        int colon = text.lastIndexOf(':');
        String port = text.substring(colon + 1);
        boolean written = colon > 0 && port.matches("[0-9]{1,5}") && Integer.parseInt(port) <= 65535;
        if (!written) {
            section.problem(key, "'" + text + "' is not an address", "Write host:port, such as 127.0.0.1:8080");
        }
        return written ? new Address(text.substring(0, colon), Integer.parseInt(port)) : new Address(text, 0);
    }
}
