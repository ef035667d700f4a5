package io.wherry.contract.record;

import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Proves to the source-connector that a message in the stream comes from the coordinator. Every role of the source's database may
 * write logical messages. Counterexample without the proof: a role without any right on a table writes a message in our form, and so
 * writes that table's rows on the target.
 *
 * <p>Record of the control topic, which only Wherry reads and writes. The coordinator creates the secret once for a migration.
 *
 * @param secret 256 random bits, in Base64
 */
public record RepairSecret(String secret) {
    /** Key of this record in the control topic. */
    public static final String KEY = "repair-secret";

    /** Bytes of a proof. */
    public static final int PROOF_BYTES = 32;

    private static final String ALGORITHM = "HmacSHA256";

    /** A new secret. */
    public static RepairSecret random() {
        byte[] bytes = new byte[PROOF_BYTES];
        new SecureRandom().nextBytes(bytes);
        return new RepairSecret(Base64.getEncoder().encodeToString(bytes));
    }

    /** The proof that belongs to these bytes. */
    public byte[] proof(byte[] content, int from) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(new SecretKeySpec(Base64.getDecoder().decode(secret), ALGORITHM));
            mac.update(content, from, content.length - from);
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java runtime has " + ALGORITHM, e);
        }
    }

    /** Not the secret: a record is easily logged. */
    @Override
    public String toString() {
        return "RepairSecret";
    }
}
