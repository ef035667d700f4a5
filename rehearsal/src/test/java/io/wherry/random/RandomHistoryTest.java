package io.wherry.random;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("no-servers")
class RandomHistoryTest {
    @Test
    void aSeedGivesTheSameHistoryAgain() {
        assertThat(new RandomSchema(7, 17).statements()).isEqualTo(new RandomSchema(7, 17).statements());
        assertThat(history(7)).isEqualTo(history(7)).isNotEqualTo(history(8));
    }

    @Test
    void nothingStaysOpenAtTheEnd() {
        RandomHistory history = new RandomHistory(new RandomSchema(7, 17), 7, true);
        List<HistoryStep> steps =
                new ArrayList<>(Stream.generate(history::next).limit(5_000).toList());
        steps.addAll(history.rest());
        List<String> all = steps.stream().map(HistoryStep::sql).toList();
        assertThat(count(all, "BEGIN"))
                .isEqualTo(count(all, "COMMIT") + count(all, "ROLLBACK") + count(all, "PREPARE"));
        assertThat(count(all, "PREPARE TRANSACTION"))
                .isPositive()
                .isEqualTo(
                        all.stream().filter(sql -> sql.contains(" PREPARED '")).count());
    }

    @Test
    void statementsAfterARenameAreForTheNewNames() {
        for (long seed = 0; seed < 200; seed++) {
            RandomSchema schema = new RandomSchema(seed, 17);
            RandomHistory history = new RandomHistory(schema, seed, true);
            List<String> before = schema.renamed();
            String rename = history.rename().sql();
            List<String> after = schema.renamed();
            assertThat(rename).startsWith("DO $wherry$ BEGIN ");
            assertThat(after).as(rename).allSatisfy(name -> assertThat(before.contains(name)
                            || rename.contains("RENAME TO " + name.substring(name.lastIndexOf(".\"") + 1)))
                    .isTrue());
        }
    }

    /** The number of statements with that beginning; ends of prepared transactions and returns to savepoints do not count. */
    private static long count(List<String> all, String word) {
        return all.stream()
                .filter(sql -> sql.startsWith(word) && !sql.contains(" PREPARED '") && !sql.startsWith("ROLLBACK TO"))
                .count();
    }

    private static List<HistoryStep> history(long seed) {
        return Stream.generate(new RandomHistory(new RandomSchema(seed, 17), seed, true)::next)
                .limit(500)
                .toList();
    }
}
