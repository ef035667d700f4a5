package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.UNCHANGED;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.LoadRecords.Block;
import io.wherry.contract.record.LoadRecords.ChunkHeader;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import io.wherry.rehearsal.fixture.SinkFixture.Event;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;

/** Every type's odd values arrive as they were, by both COPY formats and by changes: compared as binary images on the server. */
final class SinkTypesTest {
    /** Type, then its values as SQL literals. The column of the n-th type is c&lt;n&gt;. */
    private static final List<List<String>> TYPES = List.of(
            List.of("bool", "true", "false"),
            List.of("int2", "-32768", "32767"),
            List.of("int4", "-2147483648", "0"),
            List.of("int8", "-9223372036854775808", "9223372036854775807"),
            List.of("numeric", "'NaN'", "'-Infinity'", "1.0", "1.00", "0.000", "1e-30", "repeat('9', 400)::numeric"),
            List.of("numeric(10,3)", "12.3", "-0.001"),
            List.of("float4", "'-0'", "'NaN'", "'Infinity'", "1.1", "1e-45"),
            List.of("float8", "'-0'", "'NaN'", "'-Infinity'", "0.1", "5e-324", "1.7976931348623157e308"),
            List.of("money", "'-92233720368547758.08'", "'1,234.56'"),
            List.of("text", "''", "'NULL'", "'null'", "E'a\\tb\\n\\\\\"{},'", "'ä€😀'", "' {} '"),
            List.of("varchar(20)", "'x  '", "''"),
            List.of("char(5)", "'a'", "'  b'"),
            List.of("bpchar", "'a  '", "'a'", "''"),
            List.of("\"char\"", "'a'", "''", "' '", "'\"'", "'\\'", "'\\377'"),
            List.of("name", "'a name'", "repeat('x', 63)"),
            List.of("bytea", "'\\x'", "'\\x00ff5c22'", "decode(repeat('ab', 5000), 'hex')"),
            List.of("date", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"),
            List.of("time", "'24:00:00'", "'00:00:00.000001'"),
            List.of("timetz", "'24:00:00-15:59'", "'12:00+02:30:15'"),
            List.of("timestamp", "'infinity'", "'0044-03-15 12:00 BC'", "'294276-12-31 23:59:59.999999'"),
            List.of("timestamptz", "'-infinity'", "'1900-01-01 00:00:00+00:19:32'", "'0001-01-01 BC'"),
            List.of("interval", "'1 mon'", "'30 days'", "'-1 year 2 days -00:00:00.000001'", "'infinity'"),
            List.of("uuid", "'00000000-0000-0000-0000-000000000000'"),
            List.of("json", "'{\"a\":  1, \"a\": 2}'", "'null'", "'\"\\u0041\"'"),
            List.of("jsonb", "'{\"b\": 1.00, \"a\": [null, \"x\\\"y\"]}'", "'null'"),
            List.of("xml", "'<a>&lt;</a>'", "'a<b/>c'", "'  '"),
            List.of("bit(3)", "B'101'"),
            List.of("bit varying", "B''", "B'1100110'"),
            List.of("inet", "'10.0.0.1/8'", "'::1'"),
            List.of("cidr", "'10.0.0.0/8'"),
            List.of("macaddr", "'08:00:2b:01:02:03'"),
            List.of("macaddr8", "'08:00:2b:01:02:03:04:05'"),
            List.of("point", "'(-0,NaN)'", "'(1e300,0.1)'"),
            List.of("line", "'{1,2,3}'"),
            List.of("lseg", "'[(0,0),(1,1)]'"),
            List.of("box", "'(1,1),(0,0)'", "'(3,4),(-1,-2)'"),
            List.of("path", "'[(0,0),(1,1)]'", "'((0,0),(1,1))'"),
            List.of("polygon", "'((0,0),(1,1),(2,0))'"),
            List.of("circle", "'<(0,0),1>'"),
            List.of("box[]", "'{(1,1),(0,0);(3,4),(-1,-2)}'"),
            List.of("tsvector", "'''a b'':1A c:2'", "''"),
            List.of("tsquery", "'a & !(b:*A | ''c d'')'"),
            List.of("int4range", "'empty'", "'[1,5)'", "'(,)'"),
            List.of("tstzrange", "'[2001-01-01,infinity)'"),
            List.of("int4multirange", "'{}'", "'{[1,2),[5,7)}'"),
            List.of("oid", "4294967295"),
            List.of("xid8", "'18446744073709551615'"),
            List.of("tid", "'(4294967295,65535)'"),
            List.of("pg_lsn", "'FFFFFFFF/FFFFFFFF'"),
            List.of("txid_snapshot", "'10:20:10,14'"),
            List.of("pg_snapshot", "'10:20:10,14'"),
            List.of("jsonpath", "'$.a[*] ? (@ > 1)'"),
            List.of("int4[]", "'{}'", "'{NULL,1}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"),
            List.of("text[]", "'{\"\",NULL,\"NULL\",\"a\\\\b\\\"c,{}\"}'"),
            List.of("bytea[]", "'{\"\\\\x00\",NULL}'"),
            List.of("public.mood", "'it''s, \"ok\"'", "''"),
            List.of("public.mood[]", "'{\"\",NULL}'"),
            List.of("public.pair", "'(,\"a,\"\"b\")'", "ROW(1, NULL)", "ROW(NULL, '')"),
            List.of("public.pair[]", "ARRAY[ROW(1,'x\"y')::public.pair, NULL]"),
            List.of("public.short", "'abc'"),
            List.of("public.positive", "1.50"),
            List.of("public.ints", "'{1,NULL}'"),
            List.of("public.pair_domain", "ROW(1, 'x')"),
            List.of("public.ints[]", "ARRAY['{1,2}', '{}']::public.ints[]"),
            List.of("public.citext", "'Ab'"),
            List.of("public.hstore", "'\"a b\"=>\"c\\\"d\", x=>NULL'", "''"),
            List.of("public.ltree", "'Top.Science'"),
            List.of("public.cube", "'(1,2),(3,4)'"),
            List.of("public.span", "'[a,b)'"),
            // The types from here on have no binary form, or a broken one (empty int2vector), or a binary form that
            // holds OIDs.
            List.of("aclitem", "'postgres=r/postgres'"),
            List.of("int2vector", "'1 2 3'", "''"),
            List.of("oidvector", "'4294967295 0'", "''"),
            List.of("regclass", "'12345'", "'-'", "'public.expected'", "'pg_class'"),
            List.of("regtype", "'public.mood'", "'numeric'"),
            List.of("public.table_name", "'12345'"));

    private static final int TEXT_ONLY = 6;

    /** Rows of a run that is inserted by a statement, with every value. */
    private static final int FEW = 8;

    /** Rows of a run that is long enough for COPY. */
    private static final int MANY = 40;

    private static final List<String> PREPARATION = List.of(
            "CREATE TYPE public.mood AS ENUM ('it''s, \"ok\"', '')",
            "CREATE TYPE public.pair AS (a int, b text)",
            "CREATE DOMAIN public.short AS char(5)",
            "CREATE DOMAIN public.positive AS numeric(6,2) CHECK (VALUE > 0)",
            "CREATE DOMAIN public.table_name AS regclass",
            "CREATE DOMAIN public.ints AS int[]",
            "CREATE DOMAIN public.pair_domain AS public.pair",
            "CREATE TYPE public.span AS RANGE (subtype = text)",
            "CREATE EXTENSION citext SCHEMA public",
            "CREATE EXTENSION hstore SCHEMA public",
            "CREATE EXTENSION ltree SCHEMA public",
            "CREATE EXTENSION cube SCHEMA public");

    @Test
    void loadAndChangesCarryEveryValue() throws SQLException {
        try (SinkFixture sink = new SinkFixture(SharedServer.target(17), "types", 1)) {
            prepare(sink);
            sink.startSink();
            sink.plan(1, 1, "changed", "keyless", "from_text", "from_binary");
            copyChunk(sink, 0, "from_text", 1, 0, false, "SELECT * FROM public.expected");
            copyChunk(sink, 0, "from_binary", 1, 0, true, "SELECT * FROM public.expected_binary");
            sink.chunk(1, "changed", 1, 0);
            sink.chunk(1, "keyless", 1, 0);
            sink.ready("changed", "keyless", "from_text", "from_binary");
            assertThat(different(sink, "from_text", "expected")).isEmpty();
            assertThat(different(sink, "from_binary", "expected_binary")).isEmpty();

            List<Object[]> rows = rows(sink, "changed", "public.expected ORDER BY id");
            // A few rows are inserted by a statement, many by COPY.
            for (List<Object[]> run : List.of(rows.subList(0, FEW), rows.subList(FEW, rows.size()))) {
                sink.commit(101, events(run, row -> SinkFixture.insert("changed", row)));
                sink.commit(101, events(run, row -> SinkFixture.insert("keyless", row)));
                sink.awaitDrained("changed", "keyless");
            }
            assertThat(different(sink, "changed", "expected")).isEmpty();
            assertThat(different(sink, "keyless", "expected")).isEmpty();

            // Away from their values and back, by updates of whole rows and of some columns.
            sink.commit(102, events(rows, row -> SinkFixture.update("changed", other(row, null))));
            sink.awaitDrained("changed");
            sink.commit(103, events(rows, row -> SinkFixture.update("changed", row)));
            sink.awaitDrained("changed");
            assertThat(different(sink, "changed", "expected")).isEmpty();
            sink.commit(104, events(rows, row -> SinkFixture.update("changed", other(row, UNCHANGED))));
            sink.commit(105, events(rows, row -> SinkFixture.update("keyless", row, other(row, UNCHANGED))));
            sink.awaitDrained("changed", "keyless");
            assertThat(different(sink, "changed", "expected")).isEmpty();
            assertThat(different(sink, "keyless", "expected")).isEmpty();
            sink.commit(106, events(rows, row -> SinkFixture.delete("keyless", row)));
            sink.awaitDrained("keyless");
            assertThat(sink.query("SELECT count(*) FROM public.keyless")).isEqualTo("0");
        }
    }

    /** The first half of the values replaced. */
    private static Object[] other(Object[] row, Object value) {
        Object[] other = row.clone();
        for (int i = 1; i < other.length / 2; i++) {
            other[i] = value;
        }
        return other;
    }

    private interface Maker {
        Event of(Object[] row);
    }

    private static Event[] events(List<Object[]> rows, Maker maker) {
        return rows.stream().map(maker::of).toArray(Event[]::new);
    }

    /** Row, type and both texts of every value whose binary image differs, and rows that only one side has. */
    private static String different(SinkFixture sink, String table, String expected) throws SQLException {
        int columns = TYPES.size() - (expected.equals("expected") ? 0 : TEXT_ONLY);
        List<String> queries = new ArrayList<>();
        for (int i = 0; i < columns; i++) {
            String type = TYPES.get(i).get(0);
            // The words of a tsquery are stored in another order after every input, also after COPY in either format.
            String same = type.equals("tsquery")
                    ? "t.c%1$d IS NOT DISTINCT FROM e.c%1$d AND t.id = e.id"
                    : "record_image_eq(ROW(t.id, t.c%1$d), ROW(e.id, e.c%1$d))";
            String query = "SELECT e.id, t.id, '%2$s', format('%%s', t.c%1$d), format('%%s', e.c%1$d)"
                    + " FROM public.%3$s t FULL JOIN public.%4$s e USING (id) WHERE NOT coalesce(" + same + ", false)";
            queries.add(query.formatted(i, type, table, expected));
        }
        return sink.query(String.join(" UNION ALL ", queries));
    }

    /** Sends the output of COPY for a query as a chunk. */
    private static void copyChunk(
            SinkFixture sink, int lane, String table, int epoch, int chunk, boolean binary, String query)
            throws SQLException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        long rows;
        try {
            rows = sink.target()
                    .unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyOut("COPY (" + query + ") TO STDOUT (FORMAT " + (binary ? "binary" : "text") + ")", content);
        } catch (IOException e) {
            throw new AssertionError("memory does not fail", e);
        }
        ChunkHeader header = sink.header(table, epoch, chunk);
        header = new ChunkHeader(header.table(), epoch, chunk, header.snapshotLsn(), binary, header.columns());
        sink.load(
                lane,
                List.of(header, new Block(content.toByteArray()), sink.trailer(header, rows, content.toByteArray())));
    }

    /** The result's rows as events carry them: booleans and integers as such, everything else as the server's text. */
    private static List<Object[]> rows(SinkFixture sink, String table, String from) throws SQLException {
        List<Column> columns = sink.columns(table);
        List<Object[]> result = new ArrayList<>();
        String fields = columns.stream()
                .map(c -> "CASE WHEN " + c.name() + " IS NULL THEN NULL ELSE format('%s', " + c.name() + ") END")
                .collect(Collectors.joining(", "));
        try (Statement statement = sink.target().createStatement();
                ResultSet row = statement.executeQuery("SELECT " + fields + " FROM " + from)) {
            while (row.next()) {
                Object[] values = new Object[columns.size()];
                for (int i = 0; i < values.length; i++) {
                    String text = row.getString(i + 1);
                    values[i] = text == null
                            ? null
                            : switch (ChangeSchemas.encoding(columns.get(i).type())) {
                                case BOOLEAN -> text.equals("t");
                                case INT -> Integer.valueOf(text);
                                case LONG -> Long.valueOf(text);
                                default -> text;
                            };
                }
                result.add(values);
            }
        }
        return result;
    }

    private static void prepare(SinkFixture sink) throws SQLException {
        for (String sql : PREPARATION) {
            sink.execute(sql);
        }
        List<String> columns = new ArrayList<>();
        int longest = 0;
        for (int i = 0; i < TYPES.size(); i++) {
            columns.add("c" + i + " " + TYPES.get(i).get(0));
            longest = Math.max(longest, TYPES.get(i).size() - 1);
        }
        sink.execute("CREATE TABLE public.expected (id int, " + String.join(", ", columns) + ")");
        for (int row = 1; row <= FEW + MANY; row++) {
            int value = (row - 1) % (longest + 1) + 1;
            List<String> values = new ArrayList<>();
            for (List<String> type : TYPES) {
                values.add(value < type.size() ? type.get(value) : "NULL");
            }
            sink.execute("INSERT INTO public.expected VALUES (" + row + ", " + String.join(", ", values) + ")");
        }
        List<String> binary = new ArrayList<>(List.of("id"));
        for (int i = 0; i < TYPES.size() - TEXT_ONLY; i++) {
            binary.add("c" + i);
        }
        sink.execute(
                "CREATE TABLE public.expected_binary AS SELECT " + String.join(", ", binary) + " FROM public.expected");
        sink.prepareTarget(
                "CREATE TABLE public.changed (LIKE public.expected, PRIMARY KEY (id))",
                "CREATE TABLE public.keyless (LIKE public.expected)",
                "CREATE TABLE public.from_text (LIKE public.expected)",
                "CREATE TABLE public.from_binary (LIKE public.expected_binary)");
    }
}
