package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Values larger than a record; they come in parts. */
final class SinkLargeValuesTest {
    private static final String PEOPLE =
            "CREATE TABLE public.people (id int PRIMARY KEY, email text UNIQUE, note text, born date)";
    private static int count;

    private SinkFixture sink;

    @BeforeEach
    void begin() throws SQLException {
        sink = new SinkFixture(SharedServer.target(17), "sink_large" + count++, 2);
    }

    @AfterEach
    void end() throws SQLException {
        sink.close();
    }

    @Test
    void aValueLargerThanARecordArrivesWhole() throws SQLException {
        sink.prepareTarget(PEOPLE);
        sink.startSink();
        sink.plan(1, 1, "people");
        sink.chunk(0, "people", 1, 0);
        sink.ready("people");
        sink.commit(101, insert("people", 1, "a", "ä\"\\".repeat(1_000_000), null), insert("people", 2, "b", "", null));
        sink.awaitDrained("people");
        assertThat(
                        sink.query(
                                "SELECT id, length(note), note = repeat(E'\\u00e4\"\\\\', 1000000) FROM public.people ORDER BY id"))
                .isEqualTo("1|3000000|t\n2|0|f");
    }

    /** A worker reads one such value at a time, and ends batches before, between and after them. */
    @Test
    void largeValuesOfManyTablesArriveWhole() throws SQLException {
        String[] tables = openEmptyTables(6);
        Random random = new Random(3);
        List<String> expected = new ArrayList<>();
        int id = 0;
        for (int transaction = 101; transaction < 107; transaction++) {
            List<SinkFixture.Event> events = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                String value = Integer.toHexString(random.nextInt())
                        .repeat(random.nextInt(3) == 0 ? random.nextInt(1_000_000) : random.nextInt(10));
                events.add(insert(tables[random.nextInt(tables.length)], ++id, value));
                expected.add(id + "|" + value.length() + "|" + md5(value));
            }
            sink.commit(transaction, events.toArray(SinkFixture.Event[]::new));
        }
        sink.awaitDrained(tables);
        String all = Stream.of(tables).map(table -> "TABLE public." + table).collect(Collectors.joining(" UNION ALL "));
        assertThat(sink.query("SELECT id, length(v), md5(v) FROM (" + all + ") ORDER BY id"))
                .isEqualTo(String.join("\n", expected));
    }

    /** The worker's other tables wait for a value that has started, but not for one whose end never comes. */
    @Test
    void halfALargeValueStopsItsTableAndNoOther() throws SQLException {
        String[] tables = openEmptyTables(6);
        sink.commitFirstPart(101, insert(tables[0], 1, "x".repeat(1_000_000)));
        sink.awaitQuery(
                "SELECT table_name, stopped_because LIKE '%its last parts are missing%' FROM wherry.relation"
                        + " WHERE stopped_because IS NOT NULL",
                tables[0] + "|t");
        String[] others = Arrays.copyOfRange(tables, 1, tables.length);
        sink.commit(102, Stream.of(others).map(table -> insert(table, 1, "x")).toArray(SinkFixture.Event[]::new));
        sink.awaitDrained(others);
        for (String table : others) {
            assertThat(sink.query("SELECT v FROM public." + table)).isEqualTo("x");
        }
    }

    private String[] openEmptyTables(int count) throws SQLException {
        String[] tables = IntStream.range(0, count).mapToObj(n -> "t" + n).toArray(String[]::new);
        sink.prepareTarget(Stream.of(tables)
                .map(table -> "CREATE TABLE public." + table + " (id int PRIMARY KEY, v text)")
                .toArray(String[]::new));
        sink.startSink();
        sink.plan(1, 1, tables);
        for (String table : tables) {
            sink.chunk(0, table, 1, 0);
        }
        sink.ready(tables);
        return tables;
    }

    private static String md5(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has it", e);
        }
    }
}
