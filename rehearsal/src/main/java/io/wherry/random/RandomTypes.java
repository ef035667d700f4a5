package io.wherry.random;

import static io.wherry.random.RandomType.keyed;
import static io.wherry.random.RandomType.plain;

import io.wherry.contract.name.Identifiers;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.random.RandomGenerator;

/** The types of the columns: built-in types, and types and extensions that {@link #statements} creates. */
final class RandomTypes {
    static final RandomType INTEGER = keyed(10, "integer", i -> "" + i, "-2147483648", "2147483647", "0", "-1");
    static final RandomType TEXT =
            keyed(10, "text", i -> "k" + i, "", " ", "\\N", "\\.", "NULL", "ä☃𝄞", "a\nb\t\"c\" '\\ \b\u0001", "K1");
    static final RandomType DATE = keyed(
            10,
            "date",
            i -> LocalDate.of(2000, 1, 1).plusDays(i * 40L).toString(),
            "infinity",
            "-infinity",
            "0044-03-15 BC",
            "5874897-12-31");
    static final RandomType RANGE =
            keyed(10, "int4range", i -> "[" + i * 10 + "," + (i * 10 + 10) + ")", "empty", "(,-5)", "[2000000,)");

    private static final List<RandomType> BUILT_IN = List.of(
            INTEGER,
            TEXT,
            DATE,
            RANGE,
            plain(10, "boolean", "t", "f"),
            keyed(10, "smallint", i -> "" + i, "-32768", "32767"),
            keyed(10, "bigint", i -> "" + (1L << 40) * i, "-9223372036854775808", "9223372036854775807"),
            keyed(
                    10,
                    "numeric",
                    i -> i + ".1" + "0".repeat(i % 3),
                    "NaN",
                    "0",
                    "0.000",
                    "1.10",
                    "1.1",
                    "-1e-20",
                    "1e300"),
            plain(14, "numeric", "Infinity", "-Infinity"),
            keyed(10, "numeric(12,5)", i -> "-" + i + ".00001", "NaN", "0", "12345.6789"),
            plain(15, "numeric(5,-2)", "1200", "-99900"),
            keyed(10, "real", i -> i + ".1", "NaN", "Infinity", "-0", "0", "3.4028235e38", "1e-45"),
            keyed(
                    10,
                    "double precision",
                    i -> i + ".3",
                    "NaN",
                    "-Infinity",
                    "-0",
                    "0",
                    "5e-324",
                    "0.30000000000000004"),
            keyed(10, "money", i -> i + ".01", "-92233720368547758.08", "0"),
            keyed(10, "varchar(20)", i -> "v" + i + " ", "", "  lead"),
            keyed(10, "char(5)", i -> "c" + i, "", "  b"),
            keyed(10, "bpchar", i -> "b" + i + " ", "", "a  "),
            keyed(10, "name", i -> "n" + i, "", "x".repeat(63)),
            plain(10, "\"char\"", "a", "", " ", "\\", "\""),
            keyed(10, "bytea", i -> "\\x00" + HexFormat.of().toHexDigits(i), "\\x", "\\xff5c5c2722"),
            keyed(
                    10,
                    "timestamp",
                    i -> LocalDate.of(2001, 1, 1).plusDays(i) + " 12:34:56.000001",
                    "infinity",
                    "-infinity",
                    "4713-01-01 00:00:00 BC",
                    "294276-12-31 23:59:59.999999"),
            plain(10, "timestamp(0)", "2024-02-29 12:34:56", "infinity"),
            keyed(
                    10,
                    "timestamptz",
                    i -> LocalDate.of(2001, 1, 1).plusDays(i) + " 00:00:00.5+05:30",
                    "infinity",
                    "-infinity",
                    "0044-03-15 01:02:03.000001+00 BC",
                    "294276-12-31 23:59:59.999999+00"),
            keyed(
                    10,
                    "time",
                    i -> LocalTime.MIN.plusSeconds(i).toString() + (i % 60 == 0 ? ":00" : "") + ".000001",
                    "24:00:00",
                    "00:00:00"),
            plain(10, "time(3)", "12:00:00.123", "24:00:00"),
            keyed(10, "timetz", i -> LocalTime.MIN.plusSeconds(i) + "+05:30", "24:00:00-15:59", "00:00:00+15:59:59"),
            keyed(10, "interval", i -> i + " mons -3 days +04:05:06.789", "0", "30 days", "1 mon", "-178000000 years"),
            plain(17, "interval", "infinity", "-infinity"),
            keyed(
                    10,
                    "uuid",
                    i -> "a0eebc99-9c0b-4ef8-bb6d-6bb9" + HexFormat.of().toHexDigits(i),
                    "f".repeat(32)),
            keyed(10, "inet", i -> "10.0." + i / 256 + "." + i % 256 + "/24", "2001:db8::1/64", "::ffff:1.2.3.4"),
            plain(10, "cidr", "192.168.0.0/24", "2001:db8::/32", "0.0.0.0/0"),
            plain(10, "macaddr", "08:00:2b:01:02:03"),
            plain(10, "macaddr8", "08:00:2b:01:02:03:04:05"),
            plain(10, "bit(3)", "101", "000"),
            keyed(10, "bit varying", i -> Integer.toBinaryString(i) + "0".repeat(i % 3), "", "0", "00"),
            plain(10, "json", "{\"a\":1, \"a\":2,  \"n\": 1e400}", "null", "\"\"", " [\n1 ]\n", "\"__unchanged__\""),
            keyed(10, "jsonb", i -> "{\"b\": " + i + "}", "null", "1.0", "1.00", "{}", "[\"\\\"x\\\\\"]"),
            plain(12, "jsonpath", "$.a[*] ? (@ > 1)", "$"),
            plain(10, "xml", "<a x=\"1\">t&amp;</a>", "text only", "", "<b/>"),
            plain(10, "point", "(1.5,-2.25)", "(NaN,Infinity)", "(-0,0)", "(0,0)"),
            plain(10, "line", "{1,2,3}"),
            plain(10, "lseg", "[(0.1,0),(1,1)]"),
            plain(10, "path", "((0,0),(1,1))", "[(0,0),(1,1)]"),
            plain(10, "polygon", "((0,0),(1,1),(2,0.1))"),
            plain(10, "circle", "<(0.1,0),2.5>", "<(0,0),Infinity>"),
            keyed(10, "numrange", i -> "[" + i + ".10," + i + ".200)", "empty", "(,)", "[1.1,2.2]"),
            plain(10, "tstzrange", "[\"2024-01-01 00:00:00+00\",infinity)", "(-infinity,)", "empty"),
            keyed(14, "int4multirange", i -> "{[" + i + "," + (i + 2) + ")}", "{}", "{[1,3),[5,)}"),
            plain(14, "nummultirange", "{[1.10,2.2)}", "{}"),
            plain(10, "tsvector", "'a':1A 'fat':2B,4C 'it''s':3", ""),
            plain(10, "tsquery", "'fat' & !'cat':AB <-> 'x':*", ""),
            keyed(10, "oid", i -> "" + (4294967295L - i), "0"),
            keyed(10, "pg_lsn", i -> "16/" + Integer.toHexString(i + 1).toUpperCase(Locale.ROOT), "0/0"),
            plain(13, "xid8", "18446744073709551615", "0"));

    private static final List<RandomType> BIG_ABLE =
            List.of(plain(10, "text"), plain(10, "bytea"), plain(10, "jsonb"), plain(10, "xml"), plain(10, "text[]"));

    private final int version;
    private final List<RandomType> types = new ArrayList<>();
    private final Set<RandomType> domains = new HashSet<>();
    private final List<String> statements = new ArrayList<>();

    /** @param schema quoted; types and extensions are created in it */
    RandomTypes(int version, String schema, RandomGenerator random) {
        this.version = version;
        BUILT_IN.stream().filter(t -> t.since() <= version).forEach(types::add);
        String mood = schema + "." + Identifiers.quote("Mood's");
        statements.add("CREATE TYPE " + mood + " AS ENUM ('sad', 'with,comma', '\"quoted\"', '', 'é')");
        types.add(plain(10, mood, "sad", "with,comma", "\"quoted\"", "", "é"));
        String pair = schema + ".pair";
        statements.add("CREATE TYPE " + pair + " AS (a integer, \"b c\" text, m " + mood + ", n numeric(10,3)[])");
        types.add(plain(10, pair, "(,,,)", "(1,\"a \"\"b\"\"\",sad,\"{1.100,NULL}\")", "(-1,\"\",\"with,comma\",{})"));
        domain(schema + ".amount", keyed(10, "numeric(10,3)", i -> i + ".500", "1.5", "0"));
        domain(schema + ".word", keyed(10, "varchar(10)", i -> "w" + i, "", " "));
        domain(schema + ".feeling", plain(10, mood, "sad", "é"));
        domain(schema + ".numbers", plain(10, "int[]", "{}", "{1,NULL}", "[0:1]={1,2}"));
        String span = schema + ".span";
        statements.add("CREATE TYPE " + span + " AS RANGE (subtype = text, collation = \"C\")");
        types.add(keyed(10, span, i -> "[s" + i + ",t)", "empty", "[\"a \\\"b\\\", c\",)", "(,)"));
        if (random.nextInt(3) == 0) {
            for (String extension : List.of("citext", "hstore", "ltree")) {
                statements.add("CREATE EXTENSION " + extension + " SCHEMA " + schema);
            }
            types.add(keyed(10, schema + ".citext", i -> "C" + i, "c1", "", "É"));
            types.add(keyed(10, schema + ".ltree", i -> "Top.l" + i, "", "top"));
            types.add(plain(10, schema + ".hstore", "", "\"a b\"=>\"c\\\"d\", x=>NULL", "\"\"=>\"\""));
        }
    }

    private void domain(String name, RandomType base) {
        statements.add("CREATE DOMAIN " + name + " AS " + base.sql());
        RandomType domain = new RandomType(name, base.since(), base.samples(), base.numbered());
        types.add(domain);
        domains.add(domain);
    }

    /** The statements that create the types. */
    List<String> statements() {
        return statements;
    }

    RandomType any(RandomGenerator random) {
        RandomType type = types.get(random.nextInt(types.size()));
        // Arrays of domains exist since 11.
        boolean array = random.nextInt(5) == 0 && (version >= 11 || !domains.contains(type));
        return array ? type.array() : type;
    }

    /** A type that can be in a key. */
    RandomType ordered(RandomGenerator random) {
        if (random.nextInt(3) == 0) {
            return INTEGER;
        }
        List<RandomType> ordered = types.stream().filter(RandomType::ordered).toList();
        return ordered.get(random.nextInt(ordered.size()));
    }

    /** A type whose values can be of any size; they come from {@link #bigValue}. */
    static RandomType big(RandomGenerator random) {
        return BIG_ABLE.get(random.nextInt(BIG_ABLE.size()));
    }

    /** A value of 3 to 100 kB, seldom 2 MB, that does not compress, of a {@link #big} type. */
    static String bigValue(RandomType type, RandomGenerator random) {
        byte[] bytes = new byte[random.nextInt(200) == 0 ? 1_000_000 : random.nextInt(1_500, 50_000)];
        random.nextBytes(bytes);
        String hex = HexFormat.of().formatHex(bytes);
        return switch (type.sql()) {
            case "bytea" -> "\\x" + hex;
            case "jsonb" -> "{\"a\": \"" + hex + "\"}";
            case "xml" -> "<a>" + hex + "</a>";
            case "text[]" -> "{" + hex + ",NULL}";
            default -> hex;
        };
    }
}
