package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Logical messages that applications of the source write for other consumers. */
final class LargeMessagesTest {
    /** The heap that docs/operations.md requires for changes of a few bytes. */
    private static final int HEAP_MEBIBYTES = 256;

    private static final String MESSAGE =
            "SELECT pg_logical_emit_message(%b, 'audit', convert_to(repeat('w', 60000000), 'UTF8'))";

    @Tag("slow")
    @Test
    void messagesOfSixtyMegabytesForOthersDoNotFillTheHeapOfTheSourceConnector() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(ServerPair.shared(), "messages")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.item (id int PRIMARY KEY, body text)",
                    "INSERT INTO public.item VALUES (0, 'loaded')");
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source", HEAP_MEBIBYTES);
            migration.awaitState(State.IN_SYNC);
            for (int i = 1; i <= 4; i++) {
                migration.execute(
                        source,
                        MESSAGE.formatted(false),
                        "BEGIN; INSERT INTO public.item VALUES (" + i + ", 'before a message');"
                                + MESSAGE.formatted(true) + "; UPDATE public.item SET body = 'after it' WHERE id = " + i
                                + "; " + MESSAGE.formatted(true) + "; COMMIT");
            }
            migration.execute(source, "INSERT INTO public.item VALUES (5, 'last')");
            await("the last row")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() ->
                            migration.numberFromTarget("SELECT count(*) FROM public.item WHERE body = 'last'") == 1);
            // A service that had run out of memory would have ended.
            assertThat(migration.isAlive("source")).isTrue();
            migration.cutOverAndCompare();
            assertThat(migration.numberFromTarget("SELECT count(*) FROM public.item WHERE body = 'after it'"))
                    .isEqualTo(4);
        }
    }
}
