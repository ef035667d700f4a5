package io.wherry.rehearsal;

import static org.awaitility.Awaitility.await;

import io.wherry.coordinator.State;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Values of 40 MB, inserted and updated as changes, through a broker that takes records of 1 MiB, within the heap documented. */
@Tag("slow")
class LargeChangesTest {
    private static final int SOURCE_MEBIBYTES = Integer.getInteger("wherry.source", 352);
    private static final int SINK_MEBIBYTES = Integer.getInteger("wherry.sink", 512);
    private static final String HEX =
            "(SELECT string_agg(md5(i::text || %1$d), '') FROM generate_series(1, 1310720) i)";

    @Test
    void largeChangesFitTheHeapDocumented() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("large", 15, 15)) {
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.large (id int PRIMARY KEY, n int, t text, b bytea, x xml, j jsonb)");
            migration.startCoordinator();
            migration.startProcess("source", SOURCE_MEBIBYTES);
            migration.startProcess("sink", SINK_MEBIBYTES);
            migration.awaitSlot();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    migration.migration().source(),
                    "INSERT INTO public.large (id, t) SELECT 1, " + HEX.formatted(1),
                    // As many bytes on the wire, where bytea is hexadecimal.
                    "INSERT INTO public.large (id, b) SELECT 2, pg_catalog.decode(" + HEX.formatted(2) + ", 'hex')",
                    "INSERT INTO public.large (id, x) SELECT 3, ('<a>' || " + HEX.formatted(3) + " || '</a>')::xml",
                    "INSERT INTO public.large (id, j) SELECT 4, pg_catalog.jsonb_build_object('a', " + HEX.formatted(4)
                            + ")",
                    "UPDATE public.large SET n = 1",
                    "UPDATE public.large SET t = " + HEX.formatted(5) + " WHERE id = 1",
                    "UPDATE public.large SET b = pg_catalog.decode(" + HEX.formatted(6) + ", 'hex') WHERE id = 2",
                    "UPDATE public.large SET id = -id");
            await("changes applied")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.large WHERE id < 0") == 4);
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }
}
