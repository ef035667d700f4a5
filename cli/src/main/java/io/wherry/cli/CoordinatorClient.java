package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Reading;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.http.HttpApi;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Client of the coordinator's HTTP API. */
final class CoordinatorClient {
    private static final Duration CONNECT = Duration.ofSeconds(5);
    // A coordinator that has just started on a busy machine did not answer within five seconds.
    private static final Duration ANSWER = Duration.ofSeconds(20);

    private final URI base;
    private final Migration migration;
    private final Path directory;
    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(CONNECT).build();

    /** @param directory where the coordinator on this machine keeps its token */
    CoordinatorClient(Migration migration, Path directory) {
        this.migration = migration;
        this.directory = directory;
        String host = migration.http().host().equals("0.0.0.0")
                ? "127.0.0.1"
                : migration.http().host();
        this.base = URI.create("http://" + host + ":" + migration.http().port());
    }

    /** @param code HTTP status */
    record Answer(int code, JsonNode body) {
        boolean failed() {
            return code >= 300;
        }

        /** The error and its remedy. */
        String message() {
            return Sentence.of(
                    body.path("error").asText(body.toString()),
                    body.path("remedy").asText());
        }
    }

    /** @param values whether the answer may hold secrets and values of rows, which needs the token */
    Answer read(String path, boolean values) {
        HttpRequest.Builder request = HttpRequest.newBuilder(base.resolve(path + (values ? "?showValues=true" : "")))
                .timeout(ANSWER);
        if (values || migration.http().reading() == Reading.TOKEN) {
            request.header("Authorization", "Bearer " + token());
        }
        return send(request.build());
    }

    /** A call that changes state; waits until the coordinator answers, however long that takes. */
    Answer order(String path) {
        return send(HttpRequest.newBuilder(base.resolve(path))
                .header("Authorization", "Bearer " + token())
                .POST(HttpRequest.BodyPublishers.noBody())
                .build());
    }

    private String token() {
        return migration.http().token().orElseGet(() -> {
            Path file = HttpApi.tokenFile(directory);
            try {
                return Files.readString(file).strip();
            } catch (IOException e) {
                throw new ConfigurationException(
                        "http.token",
                        "is not configured and " + file + " cannot be read",
                        "Run this command on the coordinator's machine, or set http.token on both machines");
            }
        });
    }

    private Answer send(HttpRequest request) {
        try {
            HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            return new Answer(response.statusCode(), Json.mapper().readTree(response.body()));
        } catch (IOException e) {
            throw new RetryableException(
                    "ask",
                    "the coordinator at " + base,
                    "no answer: " + said(e),
                    "Check that the coordinator is reachable at http.listen; wherry up -f or wherry coordinator -f"
                            + " starts it",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RetryableException("ask", "the coordinator at " + base, "interrupted", "", e);
        }
    }

    /** The JDK's client throws some connection failures without a message. */
    private static String said(IOException e) {
        if (e.getMessage() != null) {
            return e.getMessage();
        }
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof UnresolvedAddressException) {
                return "the host name is not known";
            }
        }
        return e instanceof ConnectException
                ? "the connection was refused"
                : e.getClass().getSimpleName();
    }
}
