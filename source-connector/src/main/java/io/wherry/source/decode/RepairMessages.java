package io.wherry.source.decode;

import io.wherry.contract.record.Repair;
import io.wherry.contract.record.Repair.Address;
import io.wherry.contract.record.RepairSecret;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the coordinator's repairs among the logical messages of the stream. A message in their form without the proof is left out:
 * every role of the source's database may write one. Not safe for use by several threads.
 */
public final class RepairMessages {
    private static final Logger LOG = LoggerFactory.getLogger(RepairMessages.class);
    private static final byte[] PREFIX = Repair.PREFIX.getBytes(StandardCharsets.UTF_8);
    private static final int TRANSACTIONAL = 1;
    /** A role that writes false messages must not make us read the control topic for each, or fill the log. */
    private static final long AGAIN_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final long WARN_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final String migration;
    private final int generation;
    private final Supplier<Optional<RepairSecret>> secrets;
    private final LongSupplier nanos;
    private Optional<RepairSecret> known = Optional.empty();
    /** When the last read of the secret ended. */
    private Long readNanos;

    private Long warnedNanos;
    /** Messages that were left out since the last warning. */
    private long leftOut;

    /** @param secrets reads the secret of the migration; empty = no repair was ever ordered */
    public RepairMessages(String migration, int generation, Supplier<Optional<RepairSecret>> secrets) {
        this(migration, generation, secrets, System::nanoTime);
    }

    RepairMessages(String migration, int generation, Supplier<Optional<RepairSecret>> secrets, LongSupplier nanos) {
        this.migration = migration;
        this.generation = generation;
        this.secrets = secrets;
        this.nanos = nanos;
    }

    /**
     * Reads the message after its letter.
     *
     * @param transaction number of the transaction that holds the message
     * @return the table and its rows; empty when the message is no repair of this migration
     */
    Optional<ByteBuffer> read(ByteBuffer message, long transaction) {
        boolean transactional = (message.get() & TRANSACTIONAL) != 0;
        message.getLong();
        if (!transactional || !skipsPrefix(message)) {
            return Optional.empty();
        }
        int length = message.getInt();
        if (length > Repair.MOST_BYTES) {
            // Before anything is copied: a message of anybody may have a gigabyte.
            return leaveOut(transaction);
        }
        byte[] content = new byte[length];
        message.get(content);
        return isProven(content)
                ? Repair.read(content, new Address(transaction, migration, generation))
                : leaveOut(transaction);
    }

    private Optional<ByteBuffer> leaveOut(long transaction) {
        leftOut++;
        long now = nanos.getAsLong();
        if (warnedNanos == null || now - warnedNanos >= WARN_NANOS) {
            LOG.warn(
                    "{} messages '{}' are not the coordinator's, the last one of the source's transaction {}; they are left out",
                    leftOut,
                    Repair.PREFIX,
                    transaction);
            warnedNanos = now;
            leftOut = 0;
        }
        return Optional.empty();
    }

    private static boolean skipsPrefix(ByteBuffer message) {
        int length = PREFIX.length;
        if (message.remaining() <= length || message.get(message.position() + length) != 0) {
            return false;
        }
        byte[] prefix = new byte[length];
        message.get(prefix);
        message.get();
        return Arrays.equals(prefix, PREFIX);
    }

    private boolean isProven(byte[] content) {
        if (known.isPresent() && Repair.isProven(content, known.get())) {
            return true;
        }
        if (readNanos != null && nanos.getAsLong() - readNanos < AGAIN_NANOS) {
            return false;
        }
        known = secrets.get();
        // After the read, which may take longer than the pause.
        readNanos = nanos.getAsLong();
        return known.isPresent() && Repair.isProven(content, known.get());
    }
}
