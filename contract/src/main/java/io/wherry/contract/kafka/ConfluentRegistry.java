package io.wherry.contract.kafka;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLException;
import org.apache.avro.Schema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.SchemaMetadata;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.SchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;

/**
 * Confluent's own client, as republished (shaded) on Maven Central. Its Avro is shaded too, so schemas pass as text. No other
 * class knows this client, so upstream's artifact can replace it where Confluent's repository can be reached.
 */
public final class ConfluentRegistry implements SchemaRegistry {
    /**
     * Small: the client reserves memory for that number of schemas for each subject (260 KB for 20,000, with thousands of
     * subjects), and Wherry itself caches what it asks for more than once.
     */
    private static final int CACHED_SCHEMAS = 64;

    private static final int NOT_FOUND = 404;
    private static final int INCOMPATIBLE = 409;

    private final String url;
    private final SchemaRegistryClient client;
    private final Map<Integer, Schema> byId = new ConcurrentHashMap<>();
    /**
     * The client holds its monitor while it asks the registry, and a monitor is not fair. A thread that registers thousands of
     * schemas ahead of time, one after another, would make the stream wait until all are registered.
     */
    private final ReentrantLock turn = new ReentrantLock(true);

    /** @param url base of the API, for Apicurio {@code http://host:port/apis/ccompat/v7} */
    public ConfluentRegistry(String url) {
        this(url, Map.of());
    }

    /** The registry of a migration, once an embedded one has started. */
    public ConfluentRegistry(Migration migration) {
        this(migration.registryUrl().orElseThrow(), migration.registryAccess());
    }

    private ConfluentRegistry(String url, Map<String, String> access) {
        this.url = url;
        this.client = new CachedSchemaRegistryClient(url, CACHED_SCHEMAS, properties(url, access));
    }

    private static Map<String, String> properties(String url, Map<String, String> access) {
        Map<String, String> properties = new HashMap<>();
        access.forEach((key, value) -> properties.put("schema.registry." + key, value));
        if (access.containsKey("user")) {
            properties.put("basic.auth.credentials.source", "USER_INFO");
            properties.put("basic.auth.user.info", access.get("user") + ":" + access.getOrDefault("password", ""));
        }
        // Without this setting, the client accepts a certificate for any host name.
        if (url.startsWith("https:")) {
            properties.putIfAbsent("schema.registry.ssl.endpoint.identification.algorithm", "https");
        }
        properties.keySet().removeAll(Set.of("schema.registry.user", "schema.registry.password"));
        return properties;
    }

    /**
     * Checks that the registry is reachable and accepts the login.
     *
     * @throws WherryException with the reason why not
     */
    public void check() {
        try {
            client.getAllSubjects();
        } catch (IOException e) {
            throw unreachable("list subjects of", "the registry", e);
        } catch (RestClientException e) {
            throw refused("list subjects of", "the registry", e);
        }
    }

    @Override
    public int register(String subject, Schema schema) {
        AvroSchema text = new AvroSchema(schema.toString());
        turn.lock();
        try {
            try {
                return client.register(subject, text);
            } catch (RestClientException e) {
                if (e.getStatus() != INCOMPATIBLE) {
                    throw e;
                }
                // A table may change its shape in any way: each record names its own schema, and no reader uses
                // another one.
                client.updateCompatibility(subject, "NONE");
                return client.register(subject, text);
            }
        } catch (IOException e) {
            throw unreachable("register schema", subject, e);
        } catch (RestClientException e) {
            throw refused("register schema", subject, e);
        } finally {
            turn.unlock();
        }
    }

    @Override
    public Schema byId(int id) {
        Schema known = byId.get(id);
        if (known != null) {
            return known;
        }
        try {
            String text = client.getSchemaById(id).canonicalString();
            Schema schema = new Schema.Parser().parse(text);
            byId.put(id, schema);
            return schema;
        } catch (IOException e) {
            throw unreachable("fetch schema", Integer.toString(id), e);
        } catch (RestClientException e) {
            throw refused("fetch schema", Integer.toString(id), e);
        }
    }

    @Override
    public OptionalInt latest(String subject) {
        try {
            SchemaMetadata latest = client.getLatestSchemaMetadata(subject);
            byId.computeIfAbsent(latest.getId(), id -> new Schema.Parser().parse(latest.getSchema()));
            return OptionalInt.of(latest.getId());
        } catch (IOException e) {
            throw unreachable("find schema", subject, e);
        } catch (RestClientException e) {
            if (e.getStatus() == NOT_FOUND) {
                return OptionalInt.empty();
            }
            throw refused("find schema", subject, e);
        }
    }

    private RetryableException unreachable(String operation, String object, IOException e) {
        return new RetryableException(
                operation,
                object,
                "the registry at " + url + " does not answer: " + e.getMessage(),
                e instanceof SSLException
                        ? "Correct registry.ssl.truststore.location, or the host name in registry.url"
                        : "Check that the registry is reachable",
                e);
    }

    private WherryException refused(String operation, String object, RestClientException e) {
        if (e.getStatus() >= 500 || e.getStatus() == 429) {
            return new RetryableException(operation, object, "registry at " + url + ": " + e.getMessage(), "", e);
        }
        if (e.getStatus() == 401 || e.getStatus() == 403) {
            return new DataException(
                    operation,
                    object,
                    "the registry at " + url + " refuses the login: " + e.getMessage(),
                    "Correct registry.user and registry.password",
                    e);
        }
        return new DataException(
                operation,
                object,
                "the registry at " + url + " refuses: " + e.getMessage(),
                "If the registry lost its schemas, restore its storage; the subjects' compatibility must be NONE",
                e);
    }
}
