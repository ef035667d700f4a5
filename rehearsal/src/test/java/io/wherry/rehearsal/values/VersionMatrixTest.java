package io.wherry.rehearsal.values;

import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every type from every version to the same and every newer one: {@code ./wherry test --matrix}. */
@Tag("slow")
final class VersionMatrixTest {
    private static final int OLDEST_SOURCE = 10;
    private static final int OLDEST_TARGET = 11;
    private static final int NEWEST = 18;

    @ParameterizedTest(name = "{0} to {1}")
    @MethodSource("pairs")
    void everyTypeArrivesAsItsOwnText(int source, int target) throws Exception {
        TypesEndToEndTest.migrate(source, target);
    }

    static Stream<Arguments> pairs() {
        return IntStream.rangeClosed(OLDEST_SOURCE, NEWEST).boxed().flatMap(source -> IntStream.rangeClosed(
                        Math.max(source, OLDEST_TARGET), NEWEST)
                .mapToObj(target -> Arguments.of(source, target)));
    }
}
