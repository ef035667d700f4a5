package io.wherry.sink.plan;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.kafka.TopicIdentities;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

/**
 * Distinguishes a topic from another topic of the same name, by the id that Kafka gives each topic. The ids are kept in {@code
 * wherry.topic}. An offset alone is not enough. Counterexample: the checkpoint is 500; the topic is deleted, re-created and
 * filled to 700 while no sink-applier runs; reading from 500 would silently leave out the first 500 records.
 */
public final class TopicIds {
    private static final String REMEMBER = """
            INSERT INTO wherry.topic AS t (topic, id) VALUES (?, ?)
            ON CONFLICT (topic) DO UPDATE SET id = CASE WHEN ? THEN EXCLUDED.id ELSE t.id END RETURNING id
            """;

    private static final String ALL = "wherry reload --all";

    private TopicIds() {}

    /**
     * Remembers the ids of the topics; part of the caller's transaction.
     *
     * @param beginnings by topic, the first offset that it holds, the sum over its partitions
     * @param again their tables are re-loaded, so the topics may have other ids than before
     * @throws DataException when a topic is not the same as before, or has lost records before it was first read
     */
    static void remember(Connection target, Migration migration, Map<String, Long> beginnings, boolean again)
            throws SQLException {
        Map<String, String> known = known(target);
        Map<String, String> ids = TopicIdentities.of(migration, beginnings.keySet());
        for (Map.Entry<String, Long> beginning : beginnings.entrySet()) {
            String topic = beginning.getKey();
            if (!ids.containsKey(topic)) {
                throw new RetryableException("find topic", topic, "the broker does not know it yet", "");
            }
            if (!known.containsKey(topic) && beginning.getValue() > 0) {
                throw lost(topic, "its first records were removed before they were read", ALL);
            }
            remember(target, topic, ids.get(topic), again);
        }
    }

    private static void remember(Connection target, String topic, String id, boolean again) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(REMEMBER)) {
            statement.setString(1, topic);
            statement.setString(2, id);
            statement.setBoolean(3, again);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                if (!row.getString(1).equals(id)) {
                    throw recreated(topic, ALL);
                }
            }
        }
    }

    /**
     * The topics that were read before and have been deleted or re-created since. Empty = none.
     *
     * @param tables by their topics
     */
    public static Map<String, DataException> changed(
            Connection target, Migration migration, Map<String, TableId> tables) throws SQLException {
        Map<String, String> known = known(target);
        Map<String, String> now = TopicIdentities.of(migration, known.keySet());
        Map<String, DataException> changed = new HashMap<>();
        known.forEach((topic, id) -> {
            String remedy = tables.containsKey(topic) ? Remedies.reload(tables.get(topic)) : ALL;
            if (!now.containsKey(topic)) {
                changed.put(topic, lost(topic, "the topic was deleted", remedy));
            } else if (!id.equals(now.get(topic))) {
                changed.put(topic, recreated(topic, remedy));
            }
        });
        return changed;
    }

    private static DataException recreated(String topic, String remedy) {
        return lost(topic, "the topic was deleted and re-created", remedy);
    }

    private static DataException lost(String topic, String problem, String remedy) {
        return new DataException(
                "read topic",
                topic,
                problem + "; records that were not yet applied may be lost",
                "The topic's retention must be unlimited, and the topic must not be deleted; " + remedy);
    }

    /** Whether the topic was read before, if only for a table that has been removed since. */
    static boolean isKnown(Connection target, String topic) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement("SELECT FROM wherry.topic WHERE topic = ?")) {
            statement.setString(1, topic);
            try (ResultSet row = statement.executeQuery()) {
                return row.next();
            }
        }
    }

    private static Map<String, String> known(Connection target) throws SQLException {
        Map<String, String> known = new HashMap<>();
        try (PreparedStatement statement = target.prepareStatement("SELECT topic, id FROM wherry.topic");
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                known.put(row.getString(1), row.getString(2));
            }
        }
        return known;
    }
}
