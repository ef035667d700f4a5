package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Prints the cost of a row, in a JVM that optimises like a production JVM. */
@Tag("slow")
class RecordCostTest {
    @Test
    void costOfARow() throws Exception {
        Process process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:MaxNewSize=128m",
                        "-Xmx512m",
                        "-XX:+UseParallelGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        RecordCost.class.getName(),
                        System.getProperty("wherry.rounds", "15")))
                .inheritIO()
                .start();
        assertThat(process.waitFor()).isZero();
    }
}
