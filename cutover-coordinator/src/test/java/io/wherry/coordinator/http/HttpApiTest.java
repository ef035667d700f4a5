package io.wherry.coordinator.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.coordinator.CutoverCoordinator;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HttpApiTest {
    private static final Migration MIGRATION = MigrationFile.parse(
            "{name: shop, source: {url: 'jdbc:postgresql://h/s', user: u}, target: {url: 'jdbc:postgresql://h/t', user: u},"
                    + " http: {listen: '127.0.0.1:0'}}",
            Map.of());

    private final HttpClient client = HttpClient.newHttpClient();

    @TempDir
    private Path state;

    @Test
    void aTokenIsMadeForThisUserOnlyAndKept() throws Exception {
        String first = token();
        assertThat(first).hasSize(64);
        assertThat(token()).isEqualTo(first);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(HttpApi.tokenFile(state))))
                .isEqualTo("rw-------");
    }

    @Test
    void readingIsFreeAndChangingNeedsTheToken() throws Exception {
        try (HttpApi api = started()) {
            assertThat(get(api, "/livez").statusCode()).isEqualTo(200);
            assertThat(get(api, "/readyz?verbose").body()).contains("state LOADING");
            assertThat(get(api, "/api/status").body())
                    .contains("\"servedBy\":\"source\"", "\"endToEndMillis\":null", "\"nextSteps\":[]");
            assertThat(get(api, "/metrics").body())
                    .contains("wherry_state{migration=\"shop\",state=\"LOADING\"} 1.0")
                    .contains("wherry_cutover_max_lag_seconds{migration=\"shop\"} 2.0")
                    .doesNotContain("wherry_end_to_end_lag_seconds", "wherry_slot_", "NaN");
            assertThat(get(api, "/nothing").statusCode()).isEqualTo(404);
            assertThat(get(api, "/api/abort").statusCode()).isEqualTo(405);
            assertThat(post(api, "/api/abort", "Bearer guess", "").statusCode()).isEqualTo(401);
            assertThat(post(api, "/api/abort", "", "").body()).contains("token");
            assertThat(post(api, "/api/status", "Bearer guess", "x".repeat(100_000))
                            .statusCode())
                    .isEqualTo(413);
        }
    }

    /** Seen: {@code dryrun=true} began a cutover. */
    @Test
    void aMisspeltParameterChangesNothing() throws Exception {
        try (HttpApi api = started()) {
            String token =
                    "Bearer " + Files.readString(HttpApi.tokenFile(state)).strip();
            for (String path : new String[] {
                "/api/cutover?dryrun=true",
                "/api/cutover?dryRun=yes",
                "/api/cutover?dry-run",
                "/api/cutover?dryRun=true&dryRun=false",
                "/api/abort?now=true",
                "/api/reload?tables=public.a",
                "/api/reload?all=true&table=public.a",
                "/api/verify/start?table=public.a",
                "/api/verify/stop?tables=a"
            }) {
                HttpResponse<String> answer = post(api, path, token, "");
                assertThat(answer.statusCode()).as(path + ": " + answer.body()).isEqualTo(400);
            }
            HttpResponse<String> body = post(api, "/api/cutover", token, "dryRun=true");
            assertThat(body.statusCode()).as(body.body()).isEqualTo(400);
        }
    }

    @Test
    void aNameMayHoldAnyCharacter() {
        assertThat(Parameters.of("table=public.Order+Items&table=a%26b%3Dc%2B%25")
                        .all("table"))
                .containsExactly("public.Order Items", "a&b=c+%");
        assertThat(Parameters.of(null).all("table")).isEmpty();
    }

    @Test
    void whatIsForcedMustBeKnown() throws Exception {
        try (HttpApi api = started()) {
            String token =
                    "Bearer " + Files.readString(HttpApi.tokenFile(state)).strip();
            for (String forced : new String[] {"everything", "", "VERIFY", "verify,fence"}) {
                HttpResponse<String> answer = post(api, "/api/cutover?dryRun=true&force=" + forced, token, "");
                assertThat(answer.statusCode()).as(forced).isEqualTo(400);
                assertThat(answer.body()).contains("force=" + forced + " is not known", "force=verify");
            }
        }
    }

    @Test
    void theProofIsReadFreelyAndOrderedWithTheTokenAndARefusalSaysWhy() throws Exception {
        try (HttpApi api = started()) {
            String bearer =
                    "Bearer " + Files.readString(HttpApi.tokenFile(state)).strip();
            assertThat(get(api, "/api/verify").statusCode()).isEqualTo(409);
            assertThat(get(api, "/api/verify").body())
                    .contains("there is no proof: the target serves, or this coordinator has just started")
                    .contains("\"remedy\":\"See wherry status; wherry verify -f compares every row now\"");
            for (String order : List.of("start", "start?tables=a,b", "stop", "resume")) {
                String path = "/api/verify/" + order;
                assertThat(get(api, path).statusCode()).as(order).isEqualTo(405);
                assertThat(post(api, path, "", "").statusCode()).as(order).isEqualTo(401);
                assertThat(post(api, path, bearer, "").statusCode()).as(order).isEqualTo(409);
            }
            assertThat(post(api, "/api/verify", bearer, "").statusCode()).isEqualTo(405);
        }
    }

    @Test
    void withoutAWitnessThereIsNoProof() throws Exception {
        Migration without = MigrationFile.parse(
                "{name: shop, source: {url: 'jdbc:postgresql://h/s', user: u}, target: {url: 'jdbc:postgresql://h/t', user: u},"
                        + " verify: {witness: 'off'}, http: {listen: '127.0.0.1:0'}}",
                Map.of());
        try (HttpApi api = new HttpApi(without, state, new CutoverCoordinator(Flow.first(without), state))) {
            api.start();
            assertThat(get(api, "/api/verify").body())
                    .contains("verify.witness is off", "Set verify.witness: on and restart the coordinator");
        }
    }

    private String token() throws IOException {
        try (HttpApi api = started()) {
            assertThat(api.port()).isPositive();
            return Files.readString(HttpApi.tokenFile(state)).strip();
        }
    }

    private HttpApi started() {
        HttpApi api = new HttpApi(MIGRATION, state, new CutoverCoordinator(Flow.first(MIGRATION), state));
        api.start();
        return api;
    }

    private HttpResponse<String> get(HttpApi api, String path) throws Exception {
        return client.send(HttpRequest.newBuilder(uri(api, path)).build(), BodyHandlers.ofString());
    }

    private HttpResponse<String> post(HttpApi api, String path, String authorization, String body) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri(api, path)).POST(BodyPublishers.ofString(body));
        if (!authorization.isEmpty()) {
            request.header("Authorization", authorization);
        }
        return client.send(request.build(), BodyHandlers.ofString());
    }

    private static URI uri(HttpApi api, String path) {
        return URI.create("http://127.0.0.1:" + api.port() + path);
    }
}
