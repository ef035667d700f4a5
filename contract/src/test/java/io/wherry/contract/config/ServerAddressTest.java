package io.wherry.contract.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a database is must mean the same to the driver, Debezium and the client programs. */
final class ServerAddressTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "options",
                "currentSchema",
                "ApplicationName",
                "stringtype",
                "preferQueryMode",
                "replication",
                "binaryTransfer",
                "binaryTransferEnable",
                "readOnly",
                "autosave",
                "assumeMinServerVersion",
                "prepareThreshold",
                "socketTimeout",
                "queryTimeout",
                "socketFactory",
                "tcpKeepAlive",
                "service",
                "PGHOST",
                "PGDBNAME",
                "allowEncodingChanges",
                "reWriteBatchedInserts",
                "maxResultBuffer",
                "protocolVersion",
                "notKnownToAnybody"
            })
    void aParameterThatWouldReplaceAPinnedSettingIsNotTakenSilently(String name) {
        assertThat(ServerAddress.problems("jdbc:postgresql://old/shop?sslmode=require&" + name + "=secret"))
                .singleElement()
                .satisfies(problem -> {
                    assertThat(problem.problem())
                            .startsWith("sets " + name + ", ")
                            .doesNotContain("secret");
                    assertThat(problem.remedy()).isEqualTo("Take " + name + " out of the URL");
                });
    }

    @Test
    void whatSaysHowTheServerIsReachedIsCarriedToTheClientProgramsToo() {
        String url = "jdbc:postgresql://old:5433/shop?sslmode=verify-full&sslrootcert=/etc/a%20b.crt&connectTimeout=3"
                + "&targetServerType=primary&channelBinding=require";
        assertThat(ServerAddress.problems(url)).isEmpty();
        assertThat(ServerAddress.of(url).environment())
                .contains(
                        entry("PGHOST", "old"),
                        entry("PGPORT", "5433"),
                        entry("PGSSLMODE", "verify-full"),
                        entry("PGSSLROOTCERT", "/etc/a b.crt"),
                        entry("PGCONNECT_TIMEOUT", "3"),
                        entry("PGTARGETSESSIONATTRS", "read-write"),
                        entry("PGCHANNELBINDING", "require"));
        assertThat(ServerAddress.of("jdbc:postgresql://h/db?ssl=true").environment())
                .containsEntry("PGSSLMODE", "verify-full");
    }

    @Test
    void anAddressOfIpv6StandsWithoutBracketsInLibpqsWords() {
        ServerAddress address = ServerAddress.of("jdbc:postgresql://[::1]:5433,[fe80::1%eth0]/shop");
        assertThat(address.environment()).contains(entry("PGHOST", "::1,fe80::1%eth0"), entry("PGPORT", "5433,5432"));
        assertThat(address.url("other")).isEqualTo("jdbc:postgresql://[::1]:5433,[fe80::1%eth0]:5432/other");
        assertThat(ServerAddress.problems("jdbc:postgresql://[::1]:5433/shop")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"a/b", "50%", "%2F", "a b", "a+b", "a?b=c&d", "it's", "\"quoted\"", "é東", "back\\slash", "#1"})
    void aDatabaseIsFoundWhateverCharactersItsNameHolds(String name) {
        ServerAddress address = ServerAddress.of(
                ServerAddress.of("jdbc:postgresql://h:1/x?ssl=true").url(name));
        assertThat(address.database()).isEqualTo(name);
        assertThat(address.environment()).containsEntry("PGDATABASE", name);
        assertThat(address.parameters()).containsOnly(entry("ssl", "true"));
        assertThat(ServerAddress.problems(address.url(name))).isEmpty();
    }

    @Test
    void noHostIsTheSameHostForTheDriverAndForLibpqWhichWouldTakeASocket() {
        assertThat(ServerAddress.of("jdbc:postgresql:///shop").environment()).containsEntry("PGHOST", "localhost");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jdbc:postgresql://%2Fvar%2Frun%2Fpostgresql/shop",
                "jdbc:postgresql://h/",
                "jdbc:postgresql://h",
                "jdbc:postgresql://h/a/b",
                "jdbc:postgresql://h/50%",
                "jdbc:postgresql://::1/shop",
                "jdbc:mysql://h/shop",
                "postgresql://h/shop",
                "jdbc:postgresql:shop",
                "jdbc:postgresql://?",
                ""
            })
    void anAddressThatNotAllOfOurSessionsReachIsRefusedInWords(String url) {
        List<ServerAddress.Problem> problems = ServerAddress.problems(url);
        assertThat(problems).isNotEmpty().allSatisfy(problem -> {
            assertThat(problem.problem()).isNotEmpty();
            assertThat(problem.remedy())
                    .startsWith(problem.problem().contains("socket") ? "Name a host" : "Write jdbc:");
        });
    }
}
