package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A file or package that needs more than a few screens is divided before it grows further. */
@Tag("no-servers")
final class SizesTest {
    private static final int LINES_OF_CODE = 300;
    private static final int LINES_OF_TESTS = 400;
    private static final int FILES_OF_A_PACKAGE = 25;

    @Test
    void filesAreShort() {
        assertThat(sources()
                        .filter(file -> lines(file) > limit(file))
                        .map(file -> file + ": " + lines(file))
                        .toList())
                .isEmpty();
    }

    @Test
    void packagesHoldFewFiles() {
        Map<Path, Long> files = sources().collect(Collectors.groupingBy(Path::getParent, Collectors.counting()));
        files.values().removeIf(count -> count <= FILES_OF_A_PACKAGE);
        assertThat(files).isEmpty();
    }

    private static int limit(Path file) {
        boolean test = file.toString().contains("/src/test/");
        return test ? LINES_OF_TESTS : LINES_OF_CODE;
    }

    private static long lines(Path file) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Stream<Path> sources() {
        try (Stream<Path> modules = Files.list(Path.of("..").toRealPath())) {
            List<Path> files = modules.map(module -> module.resolve("src"))
                    .filter(Files::isDirectory)
                    .flatMap(SizesTest::walk)
                    .toList();
            assertThat(files).hasSizeGreaterThan(400);
            return files.stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Stream<Path> walk(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
