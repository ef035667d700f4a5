package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry status}, {@code tables}, {@code lag}: the state of the migration, as the running coordinator reports it. */
@Command(
        name = "status",
        mixinStandardHelpOptions = true,
        description = "Shows state, lags and tables.",
        footer = {"", "Example:", "  wherry status -f m.yaml --watch"})
final class StatusCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--watch", description = "repeat every two seconds, until Ctrl-C")
    private boolean watch;

    @Option(names = "--json", description = "print as JSON")
    private boolean json;

    @Option(names = "--show-values", description = "with passwords and values of rows in messages; needs the token")
    private boolean showValues;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws InterruptedException {
        CoordinatorClient client = client(migration);
        PrintWriter out = spec.commandLine().getOut();
        while (true) {
            JsonNode status = status(client, showValues);
            out.println(json ? status.toString() : summary(status) + tables(status) + next(status));
            out.flush();
            if (!watch) {
                return ExitCode.DONE;
            }
            TimeUnit.SECONDS.sleep(2);
        }
    }

    private static CoordinatorClient client(MigrationOption option) {
        Migration read = option.read();
        return new CoordinatorClient(read, option.directory(read));
    }

    private static JsonNode status(CoordinatorClient client, boolean showValues) {
        CoordinatorClient.Answer answer = client.read("/api/status", showValues);
        if (answer.failed()) {
            throw new ConfigurationException(
                    "http",
                    answer.body().path("error").asText(),
                    answer.body().path("remedy").asText());
        }
        return answer.body();
    }

    private static String summary(JsonNode status) {
        String waitsFor = status.path("waitsFor").asText("");
        return status.path("name").asText() + ": " + status.path("state").asText() + ", served by "
                + status.path("servedBy").asText()
                + (waitsFor.isEmpty() || waitsFor.equals("null") ? "" : ", waits for " + waitsFor)
                + "\n" + lastAbort(status.path("lastAbort")) + lag(status.path("lag")) + "\n"
                + slot(status.path("slot")) + "\n";
    }

    /** Shown until the next attempt: an operator who looks in the morning must see that a cutover was tried in the night. */
    private static String lastAbort(JsonNode aborted) {
        return aborted.isObject()
                ? "the last cutover was aborted at " + aborted.path("at").asText() + " in "
                        + aborted.path("step").asText() + ": "
                        + aborted.path("reason").asText() + "\n"
                : "";
    }

    private static String slot(JsonNode slot) {
        JsonNode lost = slot.path("lostInSeconds");
        return "slot: " + slot.path("walStatus").asText("unknown").replace("null", "unknown") + ", keeps "
                + value(slot, "retainedBytes", " bytes")
                + (slot.path("keepBytes").isNumber()
                        ? " of at most " + value(slot, "keepBytes", " bytes") + ", can keep another "
                                + value(slot, "safeBytes", " bytes")
                        : "")
                + (lost.isNumber() ? ", LOST IN " + lost.asLong() / 60 + " min at the current rate" : "");
    }

    private static String lag(JsonNode lag) {
        return "lag: slot " + value(lag, "slotBytes", " bytes") + ", source to Kafka "
                + value(lag, "sourceToKafkaMillis", " ms") + ", Kafka to target "
                + value(lag, "kafkaToTargetRecords", " records") + ", end to end "
                + value(lag, "endToEndMillis", " ms");
    }

    private static String value(JsonNode lag, String name, String unit) {
        return lag.path(name).isNumber() ? lag.path(name).asText() + unit : "unknown";
    }

    private static String tables(JsonNode status) {
        StringBuilder lines = new StringBuilder();
        for (JsonNode table : status.path("tables")) {
            lines.append(String.format(
                    "  %-40s %-10s loaded %,d of %s  applied +%,d ~%,d -%,d%s%n",
                    table.path("table").asText(),
                    table.path("state").asText(),
                    table.path("rowsLoaded").asLong(),
                    estimate(table.path("rowsEstimated")),
                    table.path("applied").path("insert").asLong(),
                    table.path("applied").path("update").asLong(),
                    table.path("applied").path("delete").asLong(),
                    table.path("error").isTextual()
                            ? "  " + table.path("state").asText() + ": "
                                    + table.path("error").asText()
                            : ""));
        }
        return lines.toString();
    }

    /** A table that was never analysed has no estimate: the number is unknown, not 0. */
    private static String estimate(JsonNode rows) {
        return rows.isNumber() ? String.format("about %,d", rows.asLong()) : "unknown";
    }

    private static String next(JsonNode status) {
        StringBuilder lines = new StringBuilder();
        for (JsonNode step : status.path("nextSteps")) {
            lines.append("next: ").append(step.asText()).append('\n');
        }
        return lines.toString();
    }

    @Command(
            name = "tables",
            mixinStandardHelpOptions = true,
            description = "Shows each table's load and changes.",
            footer = {"", "Example:", "  wherry tables -f m.yaml --json"})
    static final class Tables extends Part {
        @Override
        String part() {
            return "tables";
        }

        @Override
        String text(JsonNode status) {
            return tables(status);
        }
    }

    @Command(
            name = "lag",
            mixinStandardHelpOptions = true,
            description = "Shows the four lags; an unknown lag does not count as in sync.",
            footer = {"", "Example:", "  wherry lag -f m.yaml"})
    static final class LagCommand extends Part {
        @Override
        String part() {
            return "lag";
        }

        @Override
        String text(JsonNode status) {
            return lag(status.path("lag")) + "\n";
        }
    }

    /** Prints one part of the status. */
    abstract static class Part implements Callable<Integer> {
        @Mixin
        private MigrationOption migration;

        @Option(names = "--json", description = "print as JSON")
        private boolean json;

        @Option(names = "--show-values", description = "with passwords and values of rows in messages; needs the token")
        private boolean showValues;

        @Spec
        private CommandSpec spec;

        abstract String part();

        abstract String text(JsonNode status);

        @Override
        public Integer call() {
            JsonNode status = status(client(migration), showValues);
            PrintWriter out = spec.commandLine().getOut();
            out.print(json ? status.path(part()) + "\n" : text(status));
            out.flush();
            return ExitCode.DONE;
        }
    }
}
