package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The size of a table waits for a lock that a rewrite holds for hours. */
final class LockedTableTest {
    private static final String TABLES = "CREATE TABLE public.hay (id int PRIMARY KEY, v text);"
            + " INSERT INTO public.hay SELECT i, 'v' || i FROM generate_series(1, 100) i;"
            + " CREATE TABLE public.words (w text PRIMARY KEY); INSERT INTO public.words VALUES ('a'), ('b')";

    @Test
    void aTableThatIsLockedHoldsBackNeitherTheProofOfOthersNorTheirRows() throws Exception {
        try (ProvenPair pair = new ProvenPair(15, 17, TABLES, Map.of(), new DirtyKeys(1 << 24, 100));
                Connection other = pair.openSource()) {
            pair.settle();
            assertThat(pair.proven()).containsExactly("hay", "words");
            other.setAutoCommit(false);
            Queries.execute(other, "LOCK TABLE public.hay IN ACCESS EXCLUSIVE MODE");
            pair.proof.again(Set.of(ProvenPair.table("words")));
            pair.onSource("DELETE FROM public.words WHERE w = 'b'");
            pair.changed("words", "b");
            await().atMost(MigrationFixture.PATIENCE).until(() -> {
                pair.pass();
                pair.turn();
                return pair.differences().equals(Set.of("public.words (b) is only on the target"));
            });
            assertThat(pair.proven()).containsExactly("hay");

            other.rollback();
            pair.onTarget("DELETE FROM public.words WHERE w = 'b'");
            pair.proof.again(Set.of(ProvenPair.table("words")));
            await().atMost(MigrationFixture.PATIENCE).until(() -> {
                pair.pass();
                pair.turn();
                return pair.proven().equals(Set.of("hay", "words"));
            });
        }
    }
}
