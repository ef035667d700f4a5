package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.record.Json;
import io.wherry.rehearsal.cli.RehearsalCommandLine;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import picocli.CommandLine;

/** One run of {@code wherry bench} with few rows, as the command line does it: what it prints, and its report. */
record SmallBench(String text, JsonNode report) {
    /** Runs the bench, which must find both sides equal after each run. */
    static SmallBench run(Path directory, String... arguments) throws IOException {
        Path file = directory.resolve("bench.json");
        List<String> all = new ArrayList<>(List.of("bench"));
        all.addAll(List.of(arguments));
        all.add("--report=" + file);
        StringWriter out = new StringWriter();
        CommandLine commands = RehearsalCommandLine.commandLine();
        commands.setOut(new PrintWriter(out));
        int code = commands.execute(all.toArray(String[]::new));
        assertThat(code).as(out.toString()).isZero();
        SmallBench bench = new SmallBench(out.toString(), Json.mapper().readTree(file.toFile()));
        assertThat(bench.text()).contains("| --- |", "equal");
        assertThat(bench.report().path("equal").asBoolean()).isTrue();
        assertThat(bench.report().path("comparisons").asInt()).isPositive();
        assertThat(bench.report().path("machine").path("cores").asInt()).isPositive();
        return bench;
    }

    /** The figure whose name ends so. */
    double figure(String name) {
        return StreamSupport.stream(report.path("figures").spliterator(), false)
                .filter(figure -> figure.path("name").asText().endsWith(name))
                .map(figure -> figure.path("value").asDouble(Double.NaN))
                .findFirst()
                .orElseThrow();
    }

    /** CPU time of a process in all runs of a way, s. */
    double cpu(String way, String process) {
        return runs(way).stream()
                .mapToDouble(run -> run.path("cpuSeconds").path(process).asDouble())
                .sum();
    }

    List<JsonNode> runs(String way) {
        return StreamSupport.stream(report.path("runs").spliterator(), false)
                .filter(run -> run.path("way").asText().equals(way))
                .toList();
    }
}
