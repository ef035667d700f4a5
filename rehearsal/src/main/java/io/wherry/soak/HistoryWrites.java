package io.wherry.soak;

import java.io.IOException;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.random.RandomGenerator;
import org.postgresql.PGConnection;

/** What the sessions of a history write to the soak's own tables. */
final class HistoryWrites {
    // The slot is re-created when a table was truncated in the meantime: that must end.
    private static final int RARELY = 30;
    // An application must do the same where the constraint cannot be deferred.
    private static final String SWAP_CODES = """
            DO $$ DECLARE a int; b int; BEGIN
              SELECT code INTO a FROM public.account WHERE id = %1$d FOR UPDATE;
              SELECT code INTO b FROM public.account WHERE id = %2$d FOR UPDATE;
              IF a <> b THEN
                UPDATE public.account SET code = -1000000 - a WHERE id = %1$d;
                UPDATE public.account SET code = a WHERE id = %2$d;
                UPDATE public.account SET code = b WHERE id = %1$d;
              END IF;
            END $$
            """;

    private static final String SWAP_KEYS = """
            UPDATE public.hot SET id = -%1$d WHERE id = %1$d;
            UPDATE public.hot SET id = %1$d WHERE id = %2$d;
            UPDATE public.hot SET id = %2$d WHERE id = -%1$d
            """;
    private static final String REFILL =
            "INSERT INTO public.hot SELECT i, 0, repeat('x', 200) FROM generate_series(1, 2000) i ON CONFLICT DO NOTHING";

    private HistoryWrites() {}

    /** Rows of one COPY share one LSN, as do those of a multi-row insert. */
    static void copy(Connection session, RandomGenerator random) throws SQLException {
        StringBuilder rows = new StringBuilder();
        int count = random.nextInt(1, 120);
        for (int i = 0; i < count; i++) {
            rows.append(random.nextInt(7))
                    .append('\t')
                    .append(random.nextBoolean() ? "same" : "\\N")
                    .append('\n');
        }
        try {
            session.unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyIn("COPY public.log FROM STDIN", new StringReader(rows.toString()));
        } catch (IOException e) {
            throw new SQLException("COPY", e);
        }
    }

    /** A statement, or a few in one. */
    static String next(RandomGenerator random) {
        int id = random.nextInt(1, 8000);
        int other = random.nextInt(1, 8000);
        return switch (random.nextInt(22)) {
            case 0 ->
                "INSERT INTO public.account SELECT i, i, %d, 'new', now() FROM generate_series(%d, %d) i"
                                .formatted(other, 10_000 + id, 10_000 + id + random.nextInt(40))
                        + " ON CONFLICT DO NOTHING";
            case 1 ->
                "UPDATE public.account SET balance = balance * 1.10, changed = clock_timestamp() WHERE id = " + id;
            case 2 -> "UPDATE public.account SET note = NULL WHERE id BETWEEN %d AND %d".formatted(id, id + other % 50);
            case 3 -> "DELETE FROM public.account WHERE id BETWEEN %d AND %d".formatted(id, id + other % 4);
            case 4 -> "UPDATE public.account SET id = -id WHERE id IN (%d, -%d)".formatted(id, other);
            case 5 -> SWAP_CODES.formatted(id, other);
            case 6 ->
                "UPDATE public.seat a SET place = b.place FROM public.seat b WHERE a.id IN (%1$d, %2$d) AND b.id IN (%1$d, %2$d) AND a.id <> b.id"
                        .formatted(id % 3000 + 1, other % 3000 + 1);
            case 7 ->
                "UPDATE public.seat SET place = -place WHERE id BETWEEN %d AND %d".formatted(id % 3000, id % 3000 + 5);
            case 8 ->
                "INSERT INTO public.\"Order Items\" VALUES (%d, %d, 'x', repeat(md5('%d'), 300), '{1,NULL}') ON CONFLICT (\"Order\", line) DO UPDATE SET big = excluded.big"
                        .formatted(id, other % 5, other);
            case 9 ->
                "UPDATE public.\"Order Items\" SET \"What?\" = 'untouched %d' WHERE \"Order\" = %d"
                        .formatted(other, id / 3);
            case 10 -> "UPDATE public.\"Order Items\" SET \"Order\" = \"Order\" + 100000 WHERE \"Order\" = " + id / 3;
            case 11 -> "DELETE FROM public.\"Order Items\" WHERE \"Order\" = " + id / 3;
            case 12 -> "INSERT INTO public.log VALUES (%1$d, 'same'), (%1$d, 'same'), (%1$d, NULL)".formatted(id % 7);
            case 13 ->
                "DELETE FROM public.log WHERE ctid IN (SELECT ctid FROM public.log WHERE at = %d LIMIT 3)"
                        .formatted(id % 7);
            case 14 ->
                "UPDATE public.log SET body = 'changed %d' WHERE ctid = (SELECT ctid FROM public.log WHERE at = %d LIMIT 1)"
                        .formatted(other % 3, id % 7);
            case 15 ->
                "INSERT INTO public.hot VALUES (%d, 0, repeat(md5('%d'), 200)) ON CONFLICT (id) DO UPDATE SET n = public.hot.n + 1"
                        .formatted(id + random.nextInt(4000), other);
            case 16 -> "UPDATE public.hot SET n = n + 1 WHERE id BETWEEN %d AND %d".formatted(id, id + other % 100);
            case 17 -> "DELETE FROM public.hot WHERE id = " + id;
            case 18 -> "UPDATE public.hot SET id = %d, n = n + 1 WHERE id = %d".formatted(other, id);
            case 19 -> SWAP_KEYS.formatted(id, other);
            case 20 ->
                "UPDATE public.hot SET id = CASE WHEN id > 20000 THEN id - 20000 ELSE id + 20000 END WHERE id %% 20000 BETWEEN %d AND %d"
                        .formatted(id, id + other % 50);
            default ->
                random.nextInt(RARELY) == 0
                        ? random.nextBoolean() ? "TRUNCATE public.scratch" : "TRUNCATE public.hot; " + REFILL
                        : "INSERT INTO public.scratch (value) SELECT 'v' FROM generate_series(1, %d)"
                                .formatted(other % 60);
        };
    }
}
