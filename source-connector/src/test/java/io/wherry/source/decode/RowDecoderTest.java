package io.wherry.source.decode;

import static io.wherry.source.decode.WireMessages.UNCHANGED;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.junit.jupiter.api.Test;

final class RowDecoderTest {
    private static final int OID = 16400;
    private static final TableId TABLE = new TableId("public", "item");
    private static final String[] NAMES = {"id", "name", "flag", "big", "odd name"};
    private static final long[] TYPE_OIDS = {23, 25, 16, 20, 1700};
    private static final boolean[] KEY_FIRST = {true, false, false, false, false};
    private static final boolean[] ALL = {true, true, true, true, true};

    private static final Origin ORIGIN = new Origin("3.6", "shop", "Läden", Flow.FIRST_GENERATION);
    /** The largest LSN, because an LSN is unsigned. */
    private static final long LSN = -1;

    private static final long NOW = 1_800_000_000_000L;

    private final KeptSchemas registry = new KeptSchemas();
    private final KeptTransactions transactions = new KeptTransactions();
    private final CaptureCounts counts = new CaptureCounts();

    @Test
    void everyKindOfColumnComesBackAsItWasSent() {
        RowDecoder decoder = decoder(1);
        relation(decoder, 'd', KEY_FIRST);
        take(decoder, WireMessages.begin(1000, 5_000_000, -1));
        take(decoder, WireMessages.insert(OID, "-2147483648", "Zürich 東京", "t", "-9223372036854775808", "NaN"));
        take(decoder, WireMessages.insert(OID, "2147483647", null, "f", "9223372036854775807", null));

        GenericRecord first = change(0);
        assertThat(first.get(ChangeSchemas.OP)).hasToString("c");
        assertThat(first.get(ChangeSchemas.BEFORE)).isNull();
        assertThat(row(first, ChangeSchemas.AFTER))
                .containsExactly(Integer.MIN_VALUE, "Zürich 東京", true, Long.MIN_VALUE, "NaN");
        assertThat(row(change(1), ChangeSchemas.AFTER))
                .containsExactly(Integer.MAX_VALUE, null, false, Long.MAX_VALUE, null);
        GenericRecord source = (GenericRecord) first.get(ChangeSchemas.SOURCE);
        assertThat(source.get(ChangeSchemas.COMMIT_LSN)).isEqualTo(1000L);
        assertThat(source.get(ChangeSchemas.ORDER)).isEqualTo(1L);
        assertThat(source.get(ChangeSchemas.TX_ID)).isEqualTo(4_294_967_295L);
        assertThat(source.get(ChangeSchemas.COMMIT_MILLIS)).isEqualTo(946_684_805_000L);
        assertThat(source.get(ChangeSchemas.LSN)).isEqualTo(LSN);
        assertThat(source.get(ChangeSchemas.SEQUENCE)).isNull();
        assertThat(source.get(ChangeSchemas.XMIN)).isNull();
        assertThat(source.get(ChangeSchemas.GENERATION)).isEqualTo(Flow.FIRST_GENERATION);
        assertThat(List.of("version", "connector", "name", "snapshot", "db", "schema", "table"))
                .extracting(field -> source.get(field).toString())
                .containsExactly("3.6", "postgresql", "shop", "false", "Läden", "public", "item");
        assertThat(first.get(ChangeSchemas.READ_MILLIS)).isEqualTo(NOW);
        assertThat(key(0)).containsExactly(Integer.MIN_VALUE);
    }

    /** From 18 on Wherry requests stored generated columns, if the server would otherwise refuse updates. */
    @Test
    void aGeneratedColumnThatTheServerSendsIsNotInTheRecord() {
        RowDecoder decoder = decoder(1, new ItemShapes.Generated(Set.of("flag", "odd name")));
        relation(decoder, 'f', ALL);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.insert(OID, "1", "a", "t", "2", "3.0"));
        take(decoder, WireMessages.insert(OID, "4", null, null, "5", UNCHANGED));
        assertThat(row(change(0), ChangeSchemas.AFTER)).containsExactly(1, "a", 2L);
        assertThat(row(change(1), ChangeSchemas.AFTER)).containsExactly(4, null, 5L);
    }

    @Test
    void anUnchangedToastValueIsNeitherNullNorAText() {
        RowDecoder decoder = decoder(1);
        relation(decoder, 'd', KEY_FIRST);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.update(OID, (char) 0, null, "1", UNCHANGED, "t", null, "1.10"));

        GenericRecord change = change(0);
        assertThat(change.get(ChangeSchemas.OP)).hasToString("u");
        assertThat(change.get(ChangeSchemas.BEFORE)).isNull();
        assertThat(row(change, ChangeSchemas.AFTER)).containsExactly(1, null, true, null, "1.10");
        assertThat(unchanged(0)).containsExactly("name");
        take(decoder, WireMessages.update(OID, (char) 0, null, "1", "a", UNCHANGED, null, UNCHANGED));
        assertThat(unchanged(1)).containsExactly("flag", "odd_x0020name");
        take(decoder, WireMessages.update(OID, (char) 0, null, "1", "a", null, null, null));
        assertThat(unchanged(2)).isEmpty();
    }

    @Test
    void aKeyChangeCarriesTheOldKeyAndNothingElseOfTheOldRow() {
        RowDecoder decoder = decoder(1);
        relation(decoder, 'd', KEY_FIRST);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(
                decoder,
                WireMessages.update(OID, 'K', new String[] {"1", null, null, null, null}, "2", "a", "t", "3", "4"));

        assertThat(row(change(0), ChangeSchemas.BEFORE)).containsExactly(1, null, null, null, null);
        assertThat(row(change(0), ChangeSchemas.AFTER)).containsExactly(2, "a", true, 3L, "4");
        assertThat(unchanged(0)).isEmpty();
        assertThat(key(0)).containsExactly(2);
    }

    @Test
    void aKeylessTableCarriesTheWholeOldRowAndHasNoKey() {
        RowDecoder decoder = decoder(1);
        relation(decoder, 'f', ALL);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.delete(OID, 'O', "1", null, "f", "3", "0.0"));

        assertThat(row(change(0), ChangeSchemas.BEFORE)).containsExactly(1, null, false, 3L, "0.0");
        assertThat(change(0).get(ChangeSchemas.AFTER)).isNull();
        assertThat(transactions.keys.get(0)).isNull();
    }

    @Test
    void aNewRelationMessageChangesTheShape() {
        RowDecoder decoder = decoder(1);
        relation(decoder, 'd', KEY_FIRST);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.insert(OID, "1", "a", "t", "3", "4"));
        take(
                decoder,
                WireMessages.relation(
                        OID, "public", "item", 'd', new String[] {"id"}, new long[] {25}, new boolean[] {true}));
        take(decoder, WireMessages.insert(OID, "one"));

        assertThat(row(change(1), ChangeSchemas.AFTER)).containsExactly("one");
        assertThat(counts.captured().get(0).insert()).isEqualTo(2);
    }

    /** Debezium would keep up to 8,192 messages in its queue, whatever their size. */
    @Test
    void aLogicalMessageOfAnApplicationDoesNotFillDebeziumsQueue() {
        RowDecoder decoder = decoder(1);
        take(decoder, WireMessages.begin(1000, 0, 7));
        ByteBuffer message = WireMessages.logicalMessage("outbox", new byte[1 << 20]);

        assertThat(decoder.take(message, LSN)).as("kept from Debezium").isTrue();
        assertThat(message.hasRemaining()).isFalse();
    }

    @Test
    void aTruncateIsABarrier() {
        RowDecoder decoder = decoder(3);
        relation(decoder, 'd', KEY_FIRST);
        takeInserts(decoder, 1000, "1");
        take(decoder, WireMessages.begin(1001, 0, 8));
        take(decoder, WireMessages.truncate(OID));

        assertThat(transactions.barriers).containsExactly(0, 1);
        assertThat(change(1).get(ChangeSchemas.OP)).hasToString("t");
        assertThat(counts.captured().get(0).truncate()).isEqualTo(1);
    }

    @Test
    void theFirstChangeOfADecoderAndTheFirstOfAnotherKeySchemaAreBarriers() {
        RowDecoder decoder = decoder(3);
        relation(decoder, 'd', KEY_FIRST);
        takeInserts(decoder, 1000, "1");
        takeInserts(decoder, 1001, "1", "2", "3", "4", "5", "6");
        assertThat(transactions.barriers).containsExactly(0);
        assertThat(transactions.partitions.subList(1, 7)).contains(0, 1, 2);

        relation(decoder, 'd', new boolean[] {true, true, false, false, false});
        takeInserts(decoder, 1002, "1");
        assertThat(transactions.barriers).containsExactly(0, 7);
    }

    @Test
    void aKeyChangeIsABarrierAndAnUpdateWithTheSameOldKeyIsNot() {
        RowDecoder decoder = decoder(3);
        relation(decoder, 'd', KEY_FIRST);
        takeInserts(decoder, 1000, "1");
        take(decoder, WireMessages.begin(1001, 0, 8));
        String[] same = {"1", null, null, null, null};
        take(decoder, WireMessages.update(OID, 'K', same, "1", "b", "t", "3", "4"));
        assertThat(transactions.barriers).hasSize(1);

        take(decoder, WireMessages.update(OID, 'K', same, "2", "b", "t", "3", "4"));
        assertThat(transactions.barriers).containsExactly(0, 2);
    }

    @Test
    void aTableWithOnePartitionHasNoBarriers() {
        RowDecoder decoder = decoder(1);
        relation(decoder, 'd', KEY_FIRST);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.truncate(OID));
        take(
                decoder,
                WireMessages.update(OID, 'K', new String[] {"1", null, null, null, null}, "2", "b", "t", "3", "4"));

        assertThat(transactions.partitions).containsExactly(0, 0);
        assertThat(transactions.barriers).isEmpty();
    }

    private static void takeInserts(RowDecoder decoder, long lsn, String... ids) {
        take(decoder, WireMessages.begin(lsn, 0, 7));
        for (String id : ids) {
            take(decoder, WireMessages.insert(OID, id, "a", "t", "3", "4"));
        }
        take(decoder, WireMessages.commit(lsn, lsn + 1));
    }

    @Test
    void partitionsOfAWholeTableUseItsNameAndATruncateOfSomeIsABreak() {
        RowDecoder decoder = decoder(1, new ItemShapes.Parts(Set.of(OID, OID + 1), true));
        part(decoder, OID, "item_1");
        part(decoder, OID + 1, "item_2");
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.insert(OID + 1, "1", "a", "t", "2", "3"));
        take(decoder, WireMessages.truncate(OID, OID + 1));
        take(decoder, WireMessages.truncate(OID + 1));

        assertThat(List.of(change(0), change(1), change(2)))
                .extracting(change -> change.get(ChangeSchemas.OP).toString())
                .containsExactly("c", "t", "u");
        assertThat(transactions.breaks).containsExactly(2);
        assertThat(transactions.orders).containsExactly(1L, 2L, 4L);
        assertThat(List.of(change(0), change(1), change(2)))
                .extracting(change -> ((GenericRecord) change.get(ChangeSchemas.SOURCE)).get(ChangeSchemas.ORDER))
                .containsExactly(1L, 2L, 4L);
        assertThat(change(2).get(ChangeSchemas.AFTER)).isNull();
        assertThat(ChangeSchemas.shape(change(0).getSchema()).id()).isEqualTo(TABLE);
        assertThat(transactions.values).hasSize(3);
        assertThat(counts.captured().get(0).truncate()).isEqualTo(1);
    }

    @Test
    void aPartitionWithAnotherReplicaIdentityIsABreak() {
        RowDecoder decoder = decoder(2, new ItemShapes.Parts(Set.of(OID), false));
        part(decoder, OID, "item_1");
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.insert(OID, "1", "a", "t", "2", "3"));

        assertThat(transactions.breaks).containsExactly(0);
        assertThat(change(0).get(ChangeSchemas.AFTER)).isNull();
    }

    @Test
    void rowsOfATransactionThatKafkaHasAreNotDecoded() {
        RowDecoder decoder = decoder(1);
        transactions.start = SourceTransactions.Start.NOT_WANTED;
        relation(decoder, 'd', KEY_FIRST);
        take(decoder, WireMessages.begin(1000, 0, 7));
        take(decoder, WireMessages.insert(OID, "1", "a", "t", "3", "4"));
        assertThat(decoder.take(WireMessages.commit(1000, 1050), LSN)).isFalse();

        assertThat(transactions.values).isEmpty();
        assertThat(transactions.log).containsExactly("begin 1000", "commit 1000 1050");
    }

    @Test
    void rowsOfAnotherTableUnderTheNameOfALoadedTableAreLeftOut() {
        RowDecoder decoder = decoder(1);
        take(
                decoder,
                WireMessages.relation(
                        OID + 1, "public", "item", 'd', new String[] {"id"}, new long[] {25}, new boolean[] {true}));
        take(decoder, WireMessages.begin(1000, 0, 7));
        assertThat(decoder.take(WireMessages.insert(OID + 1, "1"), LSN)).isTrue();

        assertThat(transactions.values).isEmpty();
    }

    private static void part(RowDecoder decoder, int oid, String name) {
        take(decoder, WireMessages.relation(oid, "public", name, 'd', NAMES, TYPE_OIDS, KEY_FIRST));
    }

    private RowDecoder decoder(int partitions) {
        return decoder(partitions, ItemShapes::shape);
    }

    private RowDecoder decoder(int partitions, Shapes shapes) {
        Routes routes = new Routes();
        routes.put(new Route(TABLE, "shop.public.item", partitions));
        routes.bind(Map.of(TABLE, new Routes.Identity(OID, ColumnNumbers.NONE)));
        return new RowDecoder(
                routes,
                registry,
                shapes,
                transactions,
                counts,
                ORIGIN,
                new RepairMessages(ORIGIN.name(), ORIGIN.generation(), Optional::empty),
                Clock.fixed(Instant.ofEpochMilli(NOW), ZoneOffset.UTC));
    }

    private static void relation(RowDecoder decoder, char replicaIdentity, boolean[] identity) {
        take(decoder, WireMessages.relation(OID, "public", "item", replicaIdentity, NAMES, TYPE_OIDS, identity));
    }

    private static void take(RowDecoder decoder, ByteBuffer message) {
        boolean transaction = message.get(0) == 'B' || message.get(0) == 'C';
        assertThat(decoder.take(message, LSN)).isEqualTo(!transaction);
        assertThat(message.hasRemaining()).isEqualTo(transaction);
    }

    private List<String> unchanged(int number) {
        return ((List<?>) change(number).get(ChangeSchemas.UNCHANGED))
                .stream().map(Object::toString).toList();
    }

    private GenericRecord change(int number) {
        return read(transactions.values.get(number));
    }

    private List<Object> key(int number) {
        return values(read(transactions.keys.get(number)));
    }

    private GenericRecord read(byte[] bytes) {
        assertThat(bytes[0]).isZero();
        Schema schema = registry.byId(ByteBuffer.wrap(bytes, 1, 4).getInt());
        try {
            var decoder = DecoderFactory.get().binaryDecoder(bytes, 5, bytes.length - 5, null);
            GenericRecord record = new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
            assertThat(decoder.isEnd()).isTrue();
            return record;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Object> row(GenericRecord change, String field) {
        return values((GenericRecord) change.get(field));
    }

    private static List<Object> values(GenericRecord record) {
        List<Object> values = new ArrayList<>();
        for (Schema.Field field : record.getSchema().getFields()) {
            Object value = record.get(field.pos());
            boolean plain = value == null || value instanceof Number || value instanceof Boolean;
            values.add(plain ? value : value.toString());
        }
        return values;
    }
}
