package io.wherry.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.rehearsal.fixture.SharedBroker;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import org.apache.avro.Schema;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

final class EmbeddedRegistryTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    @Tag("embedded-only")
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

    @Tag("containers-smoke")
    @Test
    void aShapeOfAnotherTypeIsAcceptedWhateverCompatibilityIsConfigured() throws Exception {
        String subject = "retyped-value";
        SchemaRegistry registry = new ConfluentRegistry(SharedBroker.registryUrl());
        int first = registry.register(subject, schema("int4"));
        send(HttpRequest.newBuilder(URI.create(SharedBroker.registryUrl() + "/config/" + subject))
                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .PUT(HttpRequest.BodyPublishers.ofString("{\"compatibility\": \"FULL\"}")));

        assertThat(registry.register(subject, schema("bool"))).isNotEqualTo(first);
    }

    private static Schema schema(String type) {
        List<Column> columns = List.of(new Column("a", new TypeName("pg_catalog", type)));
        return ChangeSchemas.value(new TableShape(new TableId("public", "retyped"), columns, List.of()));
    }

    private static String send(HttpRequest.Builder request) throws Exception {
        HttpResponse<String> response = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return response.body();
    }
}
