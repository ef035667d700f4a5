package io.wherry.source.decode;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.record.Repair;
import io.wherry.contract.record.Repair.Address;
import io.wherry.contract.record.Repair.Column;
import io.wherry.contract.record.Repair.Relation;
import io.wherry.contract.record.Repair.Row;
import io.wherry.contract.record.RepairSecret;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Any role of the source may write messages in the form of a repair. They must not slow the capture. */
final class RepairMessagesTest {
    private static final long TRANSACTION = 7;

    private final RepairSecret secret = RepairSecret.random();
    private Optional<RepairSecret> inTopic = Optional.of(secret);
    private long seconds = 100;
    private int reads;

    private final RepairMessages messages = new RepairMessages(
            "shop",
            1,
            () -> {
                reads++;
                // As long as Kafka may need to answer.
                seconds += 30;
                return inTopic;
            },
            () -> TimeUnit.SECONDS.toNanos(seconds));

    private Optional<ByteBuffer> read(byte[] content) {
        ByteBuffer message = WireMessages.logicalMessage(Repair.PREFIX, content);
        message.get();
        return messages.read(message, TRANSACTION);
    }

    private static byte[] repair(RepairSecret secret) {
        Relation relation = new Relation(16400, "public", "item", 'd', List.of(new Column("id", true, 23, -1)));
        return Repair.encode(
                secret, new Address(TRANSACTION, "shop", 1), relation, List.of(new Row(true, List.of("1"))));
    }

    @Test
    void aMessageThatIsTooLongIsLeftOutBeforeAnythingIsCopied() {
        // The length alone: a reader that copies the content finds that there is none.
        ByteBuffer message = WireMessages.logicalMessage(Repair.PREFIX, new byte[0]);
        message.putInt(message.limit() - Integer.BYTES, Repair.MOST_BYTES + 1);
        message.get();

        assertThat(messages.read(message, TRANSACTION)).isEmpty();
        assertThat(reads).as("not a reason to read the secret").isZero();
    }

    @Test
    void falseMessagesReadTheTopicOnceInTenSecondsAfterTheReadHasEnded() {
        for (int i = 0; i < 5; i++) {
            assertThat(read(new byte[200])).isEmpty();
        }
        assertThat(reads).isEqualTo(1);
        seconds += 9;
        assertThat(read(new byte[0])).isEmpty();
        assertThat(reads).isEqualTo(1);
        seconds += 1;
        assertThat(read(repair(RepairSecret.random()))).isEmpty();
        assertThat(reads).isEqualTo(2);
    }

    @Test
    void aRepairIsTakenWhateverFalseMessagesCameBefore() {
        assertThat(read(new byte[200])).isEmpty();
        assertThat(read(repair(secret))).isPresent();
        assertThat(reads).isEqualTo(1);
    }
}
