package io.wherry.cli;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.source.publish.TopicCare;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.SslAuthenticationException;

/** Whether the configured broker and registry can be reached and accept the login. Changes nothing. */
public final class KafkaPreflight {

    private static final String TIMEOUT_MILLIS = "30000";

    private KafkaPreflight() {}

    public static List<Finding> check(Migration migration) {
        List<Finding> findings = new ArrayList<>();
        if (!migration.kafka().isEmpty()) {
            broker(migration, findings);
        }
        if (migration.registryUrl().isPresent()) {
            registry(migration, findings);
        }
        return findings;
    }

    private static void broker(Migration migration, List<Finding> findings) {
        Map<String, String> properties = new HashMap<>(migration.kafka());
        properties.put("default.api.timeout.ms", TIMEOUT_MILLIS);
        properties.put("request.timeout.ms", TIMEOUT_MILLIS);
        Migration impatient =
                migration.withServers(properties, migration.registryUrl().orElse(""));
        try (Admin admin = KafkaClients.admin(impatient)) {
            admin.describeCluster().clusterId().get();
            findings.addAll(TopicCare.check(impatient));
        } catch (ExecutionException e) {
            findings.add(explain(migration, e.getCause()));
        } catch (KafkaException e) {
            findings.add(explain(migration, e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            findings.add(Finding.error("kafka", "interrupted", "Run the command again"));
        }
    }

    private static Finding explain(Migration migration, Throwable failure) {
        String object = "kafka " + migration.kafka().get("bootstrap.servers");
        StringBuilder causes = new StringBuilder(String.valueOf(failure.getMessage()));
        for (Throwable t = failure.getCause(); t != null; t = t.getCause()) {
            causes.append(": ").append(t.getMessage());
        }
        if (failure instanceof SslAuthenticationException) {
            return Finding.error(
                    object,
                    "its certificate is not trusted: " + causes,
                    "Correct kafka.ssl.truststore.location, or the host name in kafka.bootstrap.servers");
        }
        if (failure instanceof SaslAuthenticationException) {
            return Finding.error(
                    object, "refuses the login: " + causes, "Correct kafka.sasl.mechanism and kafka.sasl.jaas.config");
        }
        return Finding.error(
                object,
                "cannot be used: " + causes,
                "Check that a broker listens there, and that kafka.security.protocol is that of the listener");
    }

    private static void registry(Migration migration, List<Finding> findings) {
        try {
            new ConfluentRegistry(migration).check();
        } catch (WherryException e) {
            findings.add(Finding.error("registry", e.getMessage(), e.hint()));
        }
    }
}
