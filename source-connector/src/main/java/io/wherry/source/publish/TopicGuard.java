package io.wherry.source.publish;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.service.Interruption;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.server.ReplicationSlot;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaException;

/** Checks that the topics of a migration that has started still exist: a re-created topic would lack its records. */
public final class TopicGuard {
    static final String START_AGAIN = "Start the migration from the beginning: drop slot and publication, delete this"
            + " migration's topics, empty the target, then start";

    private TopicGuard() {}

    /** @throws DataException when a topic was deleted that the migration has written to */
    public static void check(CaptureGroup group) {
        try (Admin admin = KafkaClients.admin(group.migration())) {
            Set<String> existing = admin.listTopics().names().get();
            if (!existing.contains(group.migration().topics().control())) {
                return;
            }
            ControlLog memory = ControlTopic.read(group.migration());
            Set<String> wanted = new TreeSet<>();
            for (LoadPlan plan : memory.plans()) {
                wanted.add(group.migration().topics().position());
                wanted.add(group.migration().topics().load());
                plan.tables().forEach(table -> wanted.add(table.topic()));
            }
            wanted.removeAll(existing);
            if (!wanted.isEmpty()) {
                throw new DataException(
                        "use topic", String.join(", ", wanted), "it was deleted, with its records", START_AGAIN);
            }
        } catch (ExecutionException | KafkaException e) {
            throw KafkaFailures.explain("list topics", e);
        } catch (InterruptedException e) {
            throw Interruption.during("list topics", e);
        }
    }

    /** @throws DataException when the slot or the position belongs to a migration that the control topic does not know */
    public static void requireRemembered(Connection source, CaptureGroup group, ControlLog memory) throws SQLException {
        if (memory.source().isPresent()) {
            return;
        }
        boolean slot = ReplicationSlot.find(source, group.slot()).isPresent();
        if (slot || Positions.last(group).isPresent()) {
            throw new DataException(
                    "use topic",
                    group.migration().topics().control(),
                    "it does not know this group.migration(), although "
                            + (slot ? "slot " + group.slot() + " exists" : "there is a position in Kafka")
                            + ": the topic was deleted or emptied, or the slot belongs to another migration",
                    START_AGAIN);
        }
    }
}
