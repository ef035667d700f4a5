package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;

final class EmbeddedRegistryTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    @Test
    void aSchemaIdSurvivesAKillRightAfterItWasGiven() throws Exception {
        try (ChildProcesses children = new ChildProcesses()) {
            EmbeddedRegistry registry = EmbeddedRegistry.start(children, children.temporaryDirectory("wherry-test-"));
            registry.awaitReady();
            String answer = send(HttpRequest.newBuilder(URI.create(registry.url() + "/subjects/x/versions"))
                    .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                    .POST(HttpRequest.BodyPublishers.ofString("{\"schema\": \"\\\"string\\\"\"}")));
            registry.kill();
            assertThat(answer).matches("\\{\"id\":\\d+}");
            String id = answer.replaceAll("\\D", "");

            registry.restart();

            assertThat(send(HttpRequest.newBuilder(URI.create(registry.url() + "/schemas/ids/" + id))))
                    .contains("\\\"string\\\"");
        }
    }

    private static String send(HttpRequest.Builder request) throws Exception {
        HttpResponse<String> response = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return response.body();
    }
}
