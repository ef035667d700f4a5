package io.wherry.cli.rebuild;

import io.wherry.contract.record.Json;
import io.wherry.contract.record.SchemaEvent;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * How many events of the schema a database has.
 *
 * @param digest of these events: other events may take their place, when the first target comes back without its last commits
 */
record SchemaPlace(int events, String digest) {
    static SchemaPlace of(List<SchemaEvent> events) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Json.write(events));
            return new SchemaPlace(events.size(), HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
