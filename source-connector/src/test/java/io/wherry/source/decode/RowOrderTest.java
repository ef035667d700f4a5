package io.wherry.source.decode;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The order of a row within its source transaction, and what is decoded of a source transaction that Kafka holds in part. */
final class RowOrderTest {
    private static final int ITEM = 16400;
    private static final int OTHER = 16500;

    private final Routes routes = new Routes();
    private final KeptTransactions transactions = new KeptTransactions();
    private final CaptureCounts counts = new CaptureCounts();

    /** The source-connector ends, the table {@code other} is bound, and the slot sends the transaction again. */
    @Test
    void aTransactionThatIsSentAgainHasTheSameOrdersWhicheverTablesAreKnown() {
        bind(ITEM, "item", 1);
        takeOfTwoTables(decoder());
        assertThat(sent()).containsExactly("2 shop.public.item", "5 shop.public.item", "7 shop.public.item");

        transactions.orders.clear();
        transactions.topics.clear();
        bind(OTHER, "other", 1);
        takeOfTwoTables(decoder());
        assertThat(sent())
                .containsExactly(
                        "1 shop.public.other",
                        "2 shop.public.item",
                        "3 shop.public.other",
                        "4 shop.public.other",
                        "5 shop.public.item",
                        "6 shop.public.other",
                        "7 shop.public.item");
    }

    @Test
    void aTableThatIsBoundWithinATransactionHasItsRowsFromThere() {
        RowDecoder decoder = decoder();
        take(decoder, WireMessages.begin(1000, 0, 7), insert(OTHER, 1));
        bind(OTHER, "other", 1);
        take(decoder, insert(OTHER, 2));
        routes.unbind(OTHER, "column id differs");
        take(decoder, insert(OTHER, 3));

        assertThat(sent()).containsExactly("2 shop.public.other");
    }

    /** The first WAL record has two rows, as of a COPY; each further one is of one message. */
    @Test
    void rowsThatKafkaHoldsAreNeitherDecodedNorCounted() {
        bind(ITEM, "item", 3);
        bind(OTHER, "other", 1);
        transactions.start = after(new RowPlace(20, 1, 4));
        RowDecoder decoder = decoder();
        take(decoder, WireMessages.begin(1000, 0, 7));
        takeAt(decoder, 10, insert(ITEM, 1), insert(ITEM, 2));
        takeAt(decoder, 20, WireMessages.truncate(OTHER, ITEM));
        assertThat(counts.captured()).isEmpty();
        assertThat(sent()).isEmpty();

        takeAt(decoder, 20, insert(ITEM, 3));
        takeAt(decoder, 30, insert(ITEM, 4));
        assertThat(sent()).containsExactly("5 shop.public.item", "6 shop.public.item");
        assertThat(counts.captured()).hasSize(1);
        assertThat(counts.captured().get(0).insert()).isEqualTo(2);
    }

    @Test
    void ofAWalRecordWithSeveralRowsTheRestIsSent() {
        bind(ITEM, "item", 1);
        transactions.start = after(new RowPlace(10, 2, 2));
        RowDecoder decoder = decoder();
        take(decoder, WireMessages.begin(1000, 0, 7));
        takeAt(decoder, 10, insert(ITEM, 1), insert(ITEM, 2), insert(ITEM, 3));

        assertThat(sent()).containsExactly("3 shop.public.item");
    }

    /** The server sends the messages of a transaction by rising LSN. If it did not, the publisher must see the row, and report it. */
    @Test
    void aRowBehindTheRestIsNotTakenForOneThatKafkaHolds() {
        bind(ITEM, "item", 1);
        transactions.start = after(new RowPlace(20, 1, 4));
        RowDecoder decoder = decoder();
        take(decoder, WireMessages.begin(1000, 0, 7));
        takeAt(decoder, 10, insert(ITEM, 1));
        takeAt(decoder, 30, insert(ITEM, 2));
        takeAt(decoder, 15, insert(ITEM, 3));

        assertThat(sent()).containsExactly("5 shop.public.item", "6 shop.public.item");
    }

    /** The publication has come to hold fewer tables since the first rows were sent: the numbers must rise all the same. */
    @Test
    void theNumbersContinueAfterTheLastThatKafkaHolds() {
        bind(ITEM, "item", 1);
        transactions.start = after(new RowPlace(20, 1, 40));
        RowDecoder decoder = decoder();
        take(decoder, WireMessages.begin(1000, 0, 7));
        takeAt(decoder, 10, insert(ITEM, 1));
        takeAt(decoder, 30, insert(ITEM, 2));
        assertThat(sent()).containsExactly("41 shop.public.item");
    }

    @Test
    void theFirstRowThatIsSentIsABarrierAlsoWithinATransaction() {
        bind(ITEM, "item", 3);
        transactions.start = after(new RowPlace(10, 2, 2));
        RowDecoder decoder = decoder();
        take(decoder, WireMessages.begin(1000, 0, 7));
        takeAt(decoder, 10, insert(ITEM, 1), insert(ITEM, 2));
        takeAt(decoder, 30, insert(ITEM, 3), insert(ITEM, 4));

        assertThat(transactions.orders).containsExactly(3L, 4L);
        assertThat(transactions.barriers).containsExactly(0);
    }

    private static SourceTransactions.Start after(RowPlace taken) {
        return new SourceTransactions.Start(true, Optional.of(taken));
    }

    private static void takeOfTwoTables(RowDecoder decoder) {
        take(
                decoder,
                WireMessages.begin(1000, 0, 7),
                insert(OTHER, 1),
                insert(ITEM, 1),
                WireMessages.delete(OTHER, 'O', "1"),
                WireMessages.truncate(OTHER, ITEM),
                insert(OTHER, 2),
                insert(ITEM, 2));
    }

    private void bind(int oid, String name, int partitions) {
        TableId table = new TableId("public", name);
        routes.put(new Route(table, "shop.public." + name, partitions));
        routes.bind(Map.of(table, new Routes.Identity(oid, ColumnNumbers.NONE)));
    }

    /** The server describes both tables to it. */
    private RowDecoder decoder() {
        RowDecoder decoder = new RowDecoder(
                routes,
                new KeptSchemas(),
                ItemShapes::shape,
                transactions,
                counts,
                new Origin("3.6", "shop", "shop", Flow.FIRST_GENERATION),
                new RepairMessages("shop", Flow.FIRST_GENERATION, Optional::empty),
                Clock.systemUTC());
        take(decoder, relation(ITEM, "item"), relation(OTHER, "other"));
        return decoder;
    }

    private static ByteBuffer relation(int oid, String name) {
        return WireMessages.relation(
                oid, "public", name, 'd', new String[] {"id"}, new long[] {23}, new boolean[] {true});
    }

    private static ByteBuffer insert(int oid, int id) {
        return WireMessages.insert(oid, Integer.toString(id));
    }

    private static void take(RowDecoder decoder, ByteBuffer... messages) {
        takeAt(decoder, 1, messages);
    }

    private static void takeAt(RowDecoder decoder, long lsn, ByteBuffer... messages) {
        for (ByteBuffer message : messages) {
            decoder.take(message, lsn);
        }
    }

    private List<String> sent() {
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < transactions.orders.size(); i++) {
            sent.add(transactions.orders.get(i) + " " + transactions.topics.get(i));
        }
        return sent;
    }
}
