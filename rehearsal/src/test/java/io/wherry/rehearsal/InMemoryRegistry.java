package io.wherry.rehearsal;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The calls of a Confluent-compatible registry that Wherry uses, for tests that are not about the registry. */
final class InMemoryRegistry implements AutoCloseable {
    private final ObjectMapper json = new ObjectMapper();
    private final List<String> schemas = new ArrayList<>();
    private final HttpServer server;

    InMemoryRegistry() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.createContext("/subjects", this::register);
        server.createContext("/schemas/ids", this::fetch);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private synchronized void register(HttpExchange call) throws IOException {
        if (call.getRequestMethod().equals("GET")) {
            call.sendResponseHeaders(404, -1);
            call.close();
            return;
        }
        String schema = json.readTree(call.getRequestBody()).get("schema").asText();
        if (!schemas.contains(schema)) {
            schemas.add(schema);
        }
        answer(call, Map.of("id", schemas.indexOf(schema) + 1));
    }

    private synchronized void fetch(HttpExchange call) throws IOException {
        String path = call.getRequestURI().getPath();
        int id = Integer.parseInt(path.substring(path.lastIndexOf('/') + 1));
        answer(call, Map.of("schema", schemas.get(id - 1)));
    }

    private void answer(HttpExchange call, Object body) throws IOException {
        byte[] bytes = json.writeValueAsBytes(body);
        call.getResponseHeaders().add("Content-Type", "application/vnd.schemaregistry.v1+json");
        call.sendResponseHeaders(200, bytes.length);
        call.getResponseBody().write(bytes);
        call.close();
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
