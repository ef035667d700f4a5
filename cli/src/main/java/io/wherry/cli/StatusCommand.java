package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import picocli.CommandLine.Command;

/** {@code wherry status} and {@code wherry tables}: the state of the migration, as the running coordinator reports it. */
@Command(
        name = "status",
        mixinStandardHelpOptions = true,
        description = "Shows state, lags and tables.",
        footer = {"", "Example:", "  wherry status -f m.yaml --watch"})
final class StatusCommand extends StatusView {
    @Override
    JsonNode json(JsonNode status) {
        return status;
    }

    @Override
    String text(JsonNode status) {
        return summary(status) + tables(status) + next(status);
    }

    private static String summary(JsonNode status) {
        String waitsFor = status.path("waitsFor").asText("");
        return status.path("name").asText() + ": " + status.path("state").asText() + ", served by "
                + status.path("servedBy").asText()
                + (waitsFor.isEmpty() || waitsFor.equals("null") ? "" : ", waits for " + waitsFor)
                + "\n" + lastAbort(status.path("lastAbort")) + lag(status.path("lag")) + "\n"
                + slot(status.path("slot")) + "\n" + proof(status.path("proof")) + "\n";
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

    private static String proof(JsonNode proof) {
        if (proof.path("tables").asInt() == 0) {
            String why = proof.path("waitsFor").asText("");
            return "proof: none" + (why.isEmpty() ? "" : ", " + why);
        }
        int differences = proof.path("differences").size();
        return String.format(
                "proof: %d of %d tables equal, %,d rows compared, %,d changed rows to compare, the oldest is %d s old%s%s",
                proof.path("proven").asInt(),
                proof.path("tables").asInt(),
                proof.path("rowsCompared").asLong(),
                proof.path("dirtyKeys").asLong(),
                proof.path("oldestMillis").asLong() / 1000,
                differences == 0 ? "" : ", " + differences + " ROWS DIFFER",
                proof.path("stopped").asBoolean() ? ", STOPPED by the operator" : "");
    }

    static String lag(JsonNode lag) {
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
    static String estimate(JsonNode rows) {
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
    static final class Tables extends StatusView {
        @Override
        JsonNode json(JsonNode status) {
            return status.path("tables");
        }

        @Override
        String text(JsonNode status) {
            return tables(status);
        }
    }
}
