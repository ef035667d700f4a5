package io.wherry.rehearsal.values;

import static io.wherry.rehearsal.fixture.SinkFixture.delete;
import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static io.wherry.rehearsal.fixture.SinkFixture.update;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import org.junit.jupiter.api.Test;

/** Keys that {@code ON CONFLICT} cannot name, on servers that support all of them. */
class UnnamedKeysTest {
    private static final String EARLY = "[2026-01-01,2026-02-01)";
    private static final String LATE = "[2026-02-01,2026-03-01)";

    /**
     * A key {@code WITHOUT OVERLAPS}, a key with an additional deferrable constraint over the same columns, and a key whose other
     * constraint treats NULLs as equal.
     */
    @Test
    void changesOfATableWhoseKeyOnConflictCannotNameAreApplied() throws Exception {
        try (SinkFixture sink = new SinkFixture(SharedServer.target(18), "unnamed_keys", 1)) {
            sink.execute("CREATE EXTENSION btree_gist");
            sink.execute("CREATE TYPE public.size AS ENUM ('s', 'm')");
            sink.prepareTarget(
                    "CREATE TABLE public.stay (room int, during daterange, who text,"
                            + " PRIMARY KEY (room, during WITHOUT OVERLAPS))",
                    "CREATE TABLE public.sized (size public.size, during int4multirange, who text,"
                            + " PRIMARY KEY (size, during WITHOUT OVERLAPS))",
                    "CREATE TABLE public.twice (id int PRIMARY KEY, v text, UNIQUE (id) DEFERRABLE)",
                    "CREATE TABLE public.nulls (id int PRIMARY KEY, v text UNIQUE NULLS NOT DISTINCT)");
            String[] tables = {"stay", "sized", "twice", "nulls"};
            sink.startSink();
            sink.plan(1, 1, tables);
            sink.chunk(
                    0,
                    "stay",
                    1,
                    0,
                    "1\t" + EARLY + "\tloaded",
                    "2\t" + EARLY + "\tloaded",
                    "3\t" + EARLY + "\tloaded");
            sink.chunk(0, "sized", 1, 0, "s\t{[1,5)}\tloaded");
            sink.chunk(0, "twice", 1, 0, "1\tloaded");
            sink.chunk(0, "nulls", 1, 0, "1\t\\N");
            sink.ready(tables);
            sink.commit(
                    101,
                    insert("stay", 1, LATE, "new"),
                    update("stay", 1, EARLY, "kept"),
                    update("stay", new Object[] {2, EARLY, null}, new Object[] {2, LATE, "moved"}),
                    insert("stay", 2, EARLY, "in its place"),
                    delete("stay", 3, EARLY),
                    insert("stay", 3, "[2026-01-10,2026-01-11)", "shorter"),
                    insert("stay", 4, EARLY, "first"),
                    update("stay", 4, EARLY, "second"),
                    delete("stay", 4, EARLY),
                    insert("stay", 4, "[2026-01-05,2026-03-01)", "third"),
                    insert("sized", "m", "{[1,3),[7,9)}", "new"),
                    update("sized", "s", "{[1,5)}", "kept"),
                    insert("twice", 2, "new"),
                    update("twice", 1, "kept"),
                    delete("nulls", 1),
                    insert("nulls", 2, null),
                    insert("nulls", 1, "x"));
            sink.awaitDrained(tables);
            assertThat(sink.query("SELECT * FROM public.stay ORDER BY 1, 2"))
                    .isEqualTo(String.join(
                            "\n",
                            "1|" + EARLY + "|kept",
                            "1|" + LATE + "|new",
                            "2|" + EARLY + "|in its place",
                            "2|" + LATE + "|moved",
                            "3|[2026-01-10,2026-01-11)|shorter",
                            "4|[2026-01-05,2026-03-01)|third"));
            assertThat(sink.query("SELECT * FROM public.sized ORDER BY 1"))
                    .isEqualTo("s|{[1,5)}|kept\nm|{[1,3),[7,9)}|new");
            assertThat(sink.query("SELECT * FROM public.twice ORDER BY 1")).isEqualTo("1|kept\n2|new");
            assertThat(sink.query("SELECT * FROM public.nulls ORDER BY 1")).isEqualTo("1|x\n2|null");
            sink.commit(
                    102,
                    delete("stay", 1, EARLY),
                    insert("stay", 1, EARLY, "back"),
                    update("twice", new Object[] {2}, new Object[] {3, "moved"}));
            sink.awaitDrained(tables);
            assertThat(sink.query("SELECT who FROM public.stay WHERE room = 1 ORDER BY during"))
                    .isEqualTo("back\nnew");
            assertThat(sink.query("SELECT * FROM public.twice ORDER BY 1")).isEqualTo("1|kept\n3|moved");
        }
    }
}
