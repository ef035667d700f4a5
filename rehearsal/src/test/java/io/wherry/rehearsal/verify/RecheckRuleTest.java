package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Differences;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Recheck;
import io.wherry.coordinator.recheck.Sides;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The rule of comparison in a model: few rows with few values, so that values come again; a pipeline and a witness with delays of their
 * own; changes that the pipeline loses. Whatever the order of events, the rule must find each row that differs and no other.
 */
@Tag("no-servers")
final class RecheckRuleTest {
    private static final TableId TABLE = new TableId("public", "t");
    private static final int ROWS = 3;
    private static final int SEEDS = 30_000;

    /** What the rule's Javadoc says may not be left out. */
    private enum Broken {
        NOTHING,
        /** Keys are taken before the target has applied, and the witness has named, what was written before. */
        PASSED_IS_IGNORED,
        /** The position passes only what the target has applied. */
        THE_WITNESS_DOES_NOT_COUNT,
        /** The position passes transactions that the source does not show yet. */
        VISIBILITY_DOES_NOT_COUNT,
        /** The position of a suspect is read before the target's row. */
        POSITION_IS_READ_TOO_EARLY
    }

    @Test
    void everyRowThatDiffersIsFoundAndNoOther() throws Exception {
        for (int seed = 0; seed < SEEDS; seed++) {
            assertThat(new Model(seed, Broken.NOTHING).run())
                    .as("seed %d", seed)
                    .isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(names = "NOTHING", mode = EnumSource.Mode.EXCLUDE)
    void theRuleDoesNotHoldWithoutAnyOfItsParts(Broken broken) throws Exception {
        int wrong = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            wrong += new Model(seed, broken).run().isEmpty() ? 0 : 1;
        }
        assertThat(wrong).as("runs of %d with a wrong answer", SEEDS).isPositive();
    }

    private record Change(int row, Integer value) {}

    private static final class Model implements Sides {
        private final Random random;
        private final Broken broken;
        private final boolean loses;
        private final int begins;
        private final List<Change> log = new ArrayList<>();
        private final Integer[] source = new Integer[ROWS];
        private final Integer[] target = new Integer[ROWS];
        private final Set<List<String>> touched = new HashSet<>();
        private final DirtyKeys dirty = new DirtyKeys(1 << 20, 1000);
        private final Differences differences = new Differences();
        private final Recheck recheck = new Recheck(TABLE, 1, dirty, differences);
        private int shown;
        private int applied;
        private int named;
        private boolean quiet;
        private boolean passDone;
        private Lsn early = Lsn.ZERO;
        private String problem = "";

        Model(long seed, Broken broken) {
            this.random = new Random(seed);
            this.broken = broken;
            this.loses = random.nextBoolean();
            Arrays.setAll(source, row -> value());
            Arrays.setAll(target, row -> source[row]);
            if (loses && random.nextInt(3) == 0) {
                int row = random.nextInt(ROWS);
                target[row] = value();
                touched.add(key(row));
            }
            // The witness begins after these.
            int before = random.nextInt(4);
            for (int i = 0; i < before; i++) {
                log.add(new Change(random.nextInt(ROWS), value()));
            }
            showAll();
            begins = before;
            named = before;
        }

        private Integer value() {
            int value = random.nextInt(3);
            return value == 0 ? null : value;
        }

        String run() throws Exception {
            int steps = 10 + random.nextInt(60);
            for (int i = 0; i < steps && problem.isEmpty(); i++) {
                if (random.nextInt(3) == 0) {
                    compare();
                } else {
                    event();
                }
            }
            quiet = true;
            showAll();
            while (applied < log.size()) {
                apply();
            }
            while (named < log.size()) {
                name();
            }
            while (!passDone) {
                compare();
            }
            if (random.nextBoolean()) {
                compare();
                compare();
                compare();
            } else if (!recheck.all(this).problem().isEmpty()) {
                problem = "the window's comparison left keys";
            }
            Set<String> found = new TreeSet<>();
            differences.all().forEach(difference -> found.add(difference.key().get(0)));
            Set<String> real = new TreeSet<>();
            for (int row = 0; row < ROWS; row++) {
                if (!Objects.equals(source[row], target[row])) {
                    real.add(key(row).get(0));
                }
            }
            return problem.isEmpty() && !found.equals(real) ? "found " + found + ", really " + real : problem;
        }

        private void compare() throws Exception {
            if (!passDone && (quiet || random.nextInt(3) == 0)) {
                pass();
            }
            recheck.some(this, passed(), quiet ? ROWS + 1 : 1 + random.nextInt(ROWS));
            for (Difference difference : differences.all()) {
                if (!touched.contains(difference.key())) {
                    problem = "a false alarm: " + difference.explained();
                }
            }
        }

        /** One chunk of all rows. */
        private void pass() {
            if (new Lsn(begins).isAfter(passed())) {
                return;
            }
            List<List<String>> keys = new ArrayList<>();
            for (int row = 0; row < ROWS; row++) {
                keys.add(key(row));
            }
            List<Found> ofSource = onSource(keys);
            List<Found> ofTarget = onTarget(keys);
            Lsn now = now();
            for (int row = 0; row < ROWS; row++) {
                if (!Objects.equals(ofSource.get(row).hash(), ofTarget.get(row).hash())) {
                    dirty.suspect(TABLE, key(row), now);
                }
            }
            passDone = true;
        }

        private Lsn passed() {
            int lsn = broken == Broken.THE_WITNESS_DOES_NOT_COUNT ? applied : Math.min(applied, named);
            return broken == Broken.PASSED_IS_IGNORED
                    ? new Lsn(-1)
                    : new Lsn(broken == Broken.VISIBILITY_DOES_NOT_COUNT ? lsn : Math.min(lsn, shown));
        }

        private void event() {
            switch (random.nextInt(4)) {
                case 0 -> log.add(new Change(random.nextInt(ROWS), value()));
                case 1 -> show();
                case 2 -> apply();
                default -> name();
            }
        }

        private void events() {
            for (int i = quiet ? 0 : random.nextInt(5); i > 0; i--) {
                event();
            }
        }

        private void show() {
            if (shown < log.size()) {
                Change change = log.get(shown++);
                source[change.row()] = change.value();
            }
        }

        private void showAll() {
            while (shown < log.size()) {
                show();
            }
        }

        private void apply() {
            if (applied < log.size()) {
                Change change = log.get(applied++);
                if (loses && random.nextInt(4) == 0) {
                    touched.add(key(change.row()));
                } else {
                    target[change.row()] = change.value();
                }
            }
        }

        private void name() {
            if (named < log.size()) {
                Change change = log.get(named++);
                dirty.changed(TABLE, key(change.row()), new Lsn(named));
            }
        }

        private static List<String> key(int row) {
            return List.of("k" + row);
        }

        @Override
        public List<Found> onSource(List<List<String>> keys) {
            events();
            List<Found> found = read(source, keys);
            early = new Lsn(log.size());
            events();
            return found;
        }

        @Override
        public List<Found> onTarget(List<List<String>> keys) {
            List<Found> found = read(target, keys);
            events();
            return found;
        }

        private static List<Found> read(Integer[] side, List<List<String>> keys) {
            return keys.stream()
                    .map(key -> {
                        Integer value = side[Integer.parseInt(key.get(0).substring(1))];
                        return value == null ? Found.NOTHING : new Found(key, value.toString());
                    })
                    .toList();
        }

        @Override
        public List<String> differing(List<String> key) {
            int row = Integer.parseInt(key.get(0).substring(1));
            return Objects.equals(source[row], target[row]) ? List.of() : List.of("v");
        }

        @Override
        public Lsn now() {
            return broken == Broken.POSITION_IS_READ_TOO_EARLY ? early : new Lsn(log.size());
        }
    }
}
