package io.wherry.contract.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.wherry.contract.config.Migration.Address;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.TableId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MigrationFileTest {
    private static final String LEAST = """
            name: shop
            source: {url: "jdbc:postgresql://old:5432/shop", user: wherry, password: "${env:SECRET}"}
            target: {url: "jdbc:postgresql://new:5432/shop", user: wherry, password: secret}
            """;

    @Test
    void leastFileHasSaneDefaults() {
        Migration migration = MigrationFile.parse(LEAST, Map.of("SECRET", "a$1\\b"));
        assertThat(migration.source().password()).isEqualTo("a$1\\b");
        CaptureGroup group = Flow.first(migration).groups().get(0);
        assertThat(group.slot()).isEqualTo("wherry_shop");
        assertThat(group.publication()).isEqualTo("wherry_shop");
        assertThat(migration.kafka()).isEmpty();
        assertThat(migration.cutover().maxLag()).isEqualTo(Duration.ofSeconds(2));
        assertThat(migration.cutover().traffic()).isEqualTo(new Switch.None());
        assertThat(migration.tables().selects(new TableId("any", "Order Items")))
                .isTrue();
    }

    @Test
    void rolesOfTheTargetMayTakeThePlaceOfTheSources() {
        String file = LEAST.replace(
                "password: secret}", "password: secret, role-map: {app.owner: \"Cloud Admin\", ro: reader}}");
        assertThat(MigrationFile.parse(file, Map.of("SECRET", "")).roleMap())
                .isEqualTo(Map.of("app.owner", "Cloud Admin", "ro", "reader"));
    }

    @Test
    void tablesMayBeFilteredAndLoadedOnly() {
        Migration.Tables tables = MigrationFile.parse(
                        LEAST + "tables: {where: {public.a: \"kind = 'EPC'\"}, load-only: [\"public.b*\"]}",
                        Map.of("SECRET", ""))
                .tables();
        assertThat(tables.whereClause(new TableId("public", "a"))).isEqualTo(" WHERE (kind = 'EPC')");
        assertThat(tables.whereClause(new TableId("public", "b"))).isEmpty();
        assertThat(tables.follows(new TableId("public", "a"))).isTrue();
        assertThat(tables.follows(new TableId("public", "b1"))).isFalse();
        assertThat(tables.selects(new TableId("public", "b1"))).isTrue();
    }

    @Test
    void tablesMayBeCarriedWhole() {
        Migration.Tables tables = MigrationFile.parse(
                        LEAST + "tables: {whole: [\"public.e*\"], exclude: [\"public.e2\"]}", Map.of("SECRET", ""))
                .tables();
        assertThat(tables.isWhole(new TableId("public", "e1"))).isTrue();
        assertThat(tables.isWhole(new TableId("public", "e2"))).isFalse();
        assertThat(tables.isWhole(new TableId("public", "a"))).isFalse();
        assertThat(MigrationFile.parse(LEAST, Map.of("SECRET", "")).tables().isWhole(new TableId("public", "e1")))
                .isFalse();
    }

    @Test
    void theProofMayBeSwitchedOff() {
        Map<String, String> environment = Map.of("SECRET", "");
        assertThat(MigrationFile.parse(LEAST, environment).verify())
                .isEqualTo(new Migration.Verify(true, 50, 1, Duration.ofMillis(100), Duration.ofHours(24)));
        assertThat(MigrationFile.parse(
                                LEAST
                                        + "verify: {witness: off, load: 100, sessions: 8, whole-within: 0s, max-age: 90m}",
                                environment)
                        .verify())
                .isEqualTo(new Migration.Verify(false, 100, 8, Duration.ZERO, Duration.ofMinutes(90)));
    }

    @Test
    void everyProblemIsReportedAtOnce() {
        String file = LEAST.replace("name: shop", "name: Shop!") + """
                tabels: {include: ["public.*"]}
                load: {readers: many}
                cutover: {max-lagg: 2s, switch: {kind: dns}}
                verify: {witness: maybe}
                http: {listen: "0.0.0.0:8080"}
                kafka: {acks: all}
                """;
        ConfigurationException problems =
                catchThrowableOfType(ConfigurationException.class, () -> MigrationFile.parse(file, Map.of()));
        assertThat(problems.findings().stream().map(Finding::explained))
                .anyMatch(line -> line.startsWith("name: ") && line.contains("'Shop!'"))
                .anyMatch(line -> line.contains("environment variable SECRET is not set"))
                .anyMatch(line -> line.startsWith("tabels: unknown key") && line.contains("Did you mean 'tables'?"))
                .anyMatch(line -> line.startsWith("cutover.max-lagg: ") && line.contains("'max-lag'"))
                .anyMatch(line -> line.startsWith("load.readers: 'many'"))
                .anyMatch(line -> line.startsWith("cutover.switch.kind: 'dns'"))
                .anyMatch(line -> line.startsWith("verify.witness: 'maybe'"))
                .anyMatch(line -> line.startsWith("http.token: "))
                .anyMatch(line -> line.startsWith("kafka.bootstrap.servers: "))
                .anyMatch(line -> line.startsWith("registry.url: "))
                .hasSize(10);
    }

    @Test
    void servicesOfTheirOwnListenOnlyWhereTheFileSaysSo() {
        assertThat(MigrationFile.parse(LEAST, Map.of("SECRET", "s")).http())
                .extracting(Http::source, Http::sink)
                .containsExactly(Optional.empty(), Optional.empty());
        assertThat(MigrationFile.parse(LEAST + "http: {source: \"0.0.0.0:8081\"}", Map.of("SECRET", "s"))
                        .http())
                .extracting(Http::source, Http::sink)
                .containsExactly(Optional.of(new Address("0.0.0.0", 8081)), Optional.empty());
        assertThat(catchThrowableOfType(
                                ConfigurationException.class,
                                () -> MigrationFile.parse(
                                        LEAST + "http: {sink: \"8081\", source: \"h:99999\"}", Map.of("SECRET", "s")))
                        .findings())
                .extracting(Finding::object)
                .containsExactly("http.source", "http.sink");
    }

    @Test
    void passwordComesFromAFile(@TempDir Path directory) throws Exception {
        Path secret = Files.writeString(directory.resolve("secret"), "from file\n");
        Migration migration = MigrationFile.parse(LEAST.replace("${env:SECRET}", "${file:" + secret + "}"), Map.of());
        assertThat(migration.source().password()).isEqualTo("from file");
        assertThat(migration.source().toString()).doesNotContain("from file");
    }

    @Test
    void brokenYamlNamesTheLine() {
        ConfigurationException problem = catchThrowableOfType(
                ConfigurationException.class, () -> MigrationFile.parse("name: [shop\nsource: x", Map.of()));
        assertThat(problem.findings()).singleElement().satisfies(f -> assertThat(f.explained())
                .startsWith("line "));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\0",
                "- a\n- list",
                "just text",
                "name: shop\nname: again",
                "name: shop\n---\nname: second",
                "name: &a [*a, *a]",
                "name: !!javax.script.ScriptEngineManager []",
                "{name: {name: {name: {}}}}",
                "name: shop\n\tsource: tab",
                "name: \"unclosed"
            })
    void whatIsNoMigrationIsRefusedInWords(String yaml) {
        ConfigurationException problem =
                catchThrowableOfType(ConfigurationException.class, () -> MigrationFile.parse(yaml, Map.of()));
        assertThat(problem).isNotNull();
        assertThat(problem.findings()).isNotEmpty().allSatisfy(f -> {
            assertThat(f.object()).isNotEmpty();
            assertThat(f.problem()).isNotEmpty();
            assertThat(f.remedy()).isNotEmpty();
        });
    }

    /** Names go into slots, topics, application names and paths. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "Shop",
                "1shop",
                "-shop",
                "shop_1",
                "shop.1",
                "../shop",
                "shop'; --",
                "shop\u00e9",
                "a b",
                "a\n"
            })
    void oddNamesAreRefused(String name) {
        String file = LEAST.replace("name: shop", "name: \"" + name.replace("\n", "\\n") + "\"");
        ConfigurationException problem = catchThrowableOfType(
                ConfigurationException.class, () -> MigrationFile.parse(file, Map.of("SECRET", "x")));
        assertThat(problem.findings()).singleElement().satisfies(f -> assertThat(f.object())
                .isEqualTo("name"));
    }

    @Test
    void secretsAreNotAcceptedWhereTheyWouldShow() {
        String file = LEAST.replace("old:5432/shop", "old:5432/shop?ssl=true&password=Zq1") + """
                kafka: {bootstrap.servers: "k:1"}
                registry: {url: "http://user:Zq2@host:8081"}
                http: {token: "${env:SECRET}"}
                """;
        ConfigurationException problems = catchThrowableOfType(
                ConfigurationException.class, () -> MigrationFile.parse(file, Map.of("SECRET", " ")));
        assertThat(problems.findings().stream().map(Finding::explained))
                .anyMatch(line -> line.startsWith("source.url: holds a login"))
                .anyMatch(line -> line.startsWith("registry.url: "))
                .anyMatch(line -> line.startsWith("http.token: is empty"))
                .noneMatch(line -> line.contains("Zq"))
                .hasSize(3);
    }

    @Test
    void theRegistryMayAskForALogin() {
        Migration migration = MigrationFile.parse(
                LEAST + "registry: {url: 'https://host/path', user: u, password: p, ssl.truststore.location: /t}",
                Map.of("SECRET", ""));
        assertThat(migration.registryAccess())
                .isEqualTo(Map.of("user", "u", "password", "p", "ssl.truststore.location", "/t"));
    }

    @Test
    void excludedWinsOverIncluded() {
        Migration.Tables tables = new Migration.Tables(List.of("public.*"), List.of("public.audit_*"));
        assertThat(tables.selects(new TableId("public", "orders"))).isTrue();
        assertThat(tables.selects(new TableId("public", "audit_2024"))).isFalse();
        assertThat(tables.selects(new TableId("other", "orders"))).isFalse();
    }
}
