package io.wherry.contract.name;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * Names of the Kafka topics of one migration.
 *
 * <p>Kafka allows {@code [a-zA-Z0-9._-]} and 249 characters, and refuses a topic whose name equals another's when '.' and '_' are
 * treated as the same (Kafka documentation, metric names). So every character that a topic's name must not hold, and '_' in a
 * schema, is written as {@code -xHHHH}. The first '.' or '_' after the prefix is always the separator, and the topics of two
 * different tables never have the same name and never clash.
 *
 * @param name the migration's name, prefix of all its topics
 */
public record Topics(String name) {
    private static final int LONGEST = 249;

    /** Positions, one record for each Kafka transaction; one partition for each capture group. */
    public String position() {
        return name + ".wherry.position";
    }

    /** Load plans and everything else that the source-connector must remember; one partition. */
    public String control() {
        return name + ".wherry.control";
    }

    /** What no stream carries, as last seen on the source, for a rebuild alone; one partition. */
    public String lastSeen() {
        return name + ".wherry.last-seen";
    }

    /** Status of the source-connector, once a second; one partition, and the only topic whose records expire. */
    public String status() {
        return name + ".wherry.status";
    }

    /** COPY blocks of the full load; one partition for each lane. */
    public String load() {
        return name + ".wherry.load";
    }

    /** Row changes of one table. */
    public String changes(TableId table) {
        String topic = name + "." + escape(table.schema(), false) + "." + escape(table.table(), true);
        if (topic.length() <= LONGEST) {
            return topic;
        }
        String digest = "-x" + sha256(topic).substring(0, 32);
        return topic.substring(0, LONGEST - digest.length()) + digest;
    }

    /** Transactional id under which changes and positions are written; see {@code Flow#transactionalIds}. */
    public String changesTransactionalId() {
        return "wherry-" + name + "-source";
    }

    /** Transactional id under which the source-connector writes the control topic; see {@code Flow#transactionalIds}. */
    public String controlTransactionalId() {
        return "wherry-" + name + "-control";
    }

    /** Transactional id under which a lane of the load is written; see {@code Flow#transactionalIds}. */
    public String loadTransactionalId(int lane) {
        return "wherry-" + name + "-load-" + lane;
    }

    private static String escape(String part, boolean underscoreAllowed) {
        StringBuilder out = new StringBuilder(part.length() + 8);
        for (int i = 0; i < part.length(); i++) {
            char c = part.charAt(i);
            boolean plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
            boolean hyphen = c == '-' && !(i + 1 < part.length() && part.charAt(i + 1) == 'x');
            if (plain || hyphen || c == '_' && underscoreAllowed) {
                out.append(c);
            } else {
                out.append(String.format("-x%04x", (int) c));
            }
        }
        return out.toString();
    }

    private static String sha256(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
