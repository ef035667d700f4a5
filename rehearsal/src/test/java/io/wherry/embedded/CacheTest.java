package io.wherry.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("no-servers")
final class CacheTest {
    @TempDir
    Path root;

    @Test
    void anEntryIsFilledOnceHoweverManyAskForIt() {
        AtomicInteger fillings = new AtomicInteger();
        IntStream.range(0, 8).parallel().forEach(caller -> {
            // One cache object each, as in separate processes.
            Path entry = new Cache(root).entry("a/b", partial -> {
                fillings.incrementAndGet();
                Files.writeString(partial.resolve("file"), "whole");
            });
            assertThat(entry.resolve("file")).hasContent("whole");
        });
        assertThat(fillings).hasValue(1);
    }

    @Test
    void aFailedFillingLeavesNoEntryAndIsTriedAgain() throws IOException {
        Cache cache = new Cache(root);
        // Left by a process that was killed while it filled the entry.
        Files.createDirectories(root.resolve("a.partial/rubbish"));
        assertThatThrownBy(() -> cache.entry("a", partial -> {
                    Files.writeString(partial.resolve("half"), "");
                    throw new IOException("disk full");
                }))
                .isInstanceOf(ServerException.class)
                .hasMessageContaining("disk full")
                .hasMessageContaining("WHERRY_CACHE");
        assertThat(root.resolve("a")).doesNotExist();
        assertThat(cache.entry("a", partial -> Files.writeString(partial.resolve("whole"), "")))
                .isDirectoryNotContaining("glob:**half")
                .isDirectoryNotContaining("glob:**rubbish")
                .isDirectoryContaining("glob:**whole");
    }
}
