package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.wherry.contract.record.Json;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry lag}: how far the target is behind, as a whole or table by table. */
@Command(
        name = "lag",
        mixinStandardHelpOptions = true,
        description = {
            "Shows the four lags; an unknown lag does not count as in sync. With --by-table, shows for each table the records in"
                    + " Kafka that are not applied, the age of the oldest of them, and whether they have become more or less over the"
                    + " last two minutes."
        },
        footer = {"", "Examples:", "  wherry lag -f m.yaml", "  wherry lag -f m.yaml --by-table --sort seconds --watch"
        })
final class LagCommand extends StatusView {
    private static final List<String> FIELDS = List.of("table", "state", "rowsLoaded", "rowsEstimated", "lag");

    @Option(names = "--by-table", description = "one line for each table")
    private boolean byTable;

    @Option(
            names = "--sort",
            defaultValue = "records",
            description =
                    "with --by-table: by records, seconds or table (default: ${DEFAULT-VALUE}); the largest first, and"
                            + " unknown before it")
    private Order sort;

    /** The order of the tables. */
    private enum Order {
        RECORDS,
        SECONDS,
        TABLE
    }

    @Override
    JsonNode json(JsonNode status) {
        if (!byTable) {
            return status.path("lag");
        }
        ArrayNode tables = Json.mapper().createArrayNode();
        for (JsonNode table : sorted(status)) {
            ObjectNode shown = tables.addObject();
            FIELDS.forEach(field -> shown.set(field, table.path(field)));
        }
        return tables;
    }

    @Override
    String text(JsonNode status) {
        if (!byTable) {
            return StatusCommand.lag(status.path("lag")) + "\n";
        }
        StringBuilder lines = new StringBuilder(line("table", "records", "seconds", "trend", "state", "loaded"));
        for (JsonNode table : sorted(status)) {
            JsonNode lag = table.path("lag");
            lines.append(line(
                    table.path("table").asText(),
                    number(lag.path("records")),
                    (lag.path("over").asBoolean() ? "over " : "") + number(lag.path("seconds")),
                    trend(lag),
                    table.path("state").asText(),
                    String.format(
                            "%,d of %s",
                            table.path("rowsLoaded").asLong(), StatusCommand.estimate(table.path("rowsEstimated")))));
        }
        return lines.toString();
    }

    private List<JsonNode> sorted(JsonNode status) {
        List<JsonNode> tables = new ArrayList<>();
        status.path("tables").forEach(tables::add);
        // The status has the tables by name, and the sort is stable.
        if (sort != Order.TABLE) {
            tables.sort(Comparator.comparingLong((JsonNode table) -> table.path("lag")
                            .path(sort.name().toLowerCase(Locale.ROOT))
                            .asLong(Long.MAX_VALUE))
                    .reversed());
        }
        return tables;
    }

    private static String line(
            String table, String records, String seconds, String trend, String state, String loaded) {
        return String.format("%-40s %14s %12s  %-22s %-10s %s%n", table, records, seconds, trend, state, loaded);
    }

    private static String number(JsonNode value) {
        return value.isNumber() ? String.format("%,d", value.asLong()) : "unknown";
    }

    private static String trend(JsonNode lag) {
        if (!lag.path("trend").isTextual()) {
            return "unknown";
        }
        String direction = lag.path("trend").asText().toLowerCase(Locale.ROOT);
        return direction.equals("steady")
                ? direction
                : direction
                        + String.format(
                                Locale.ROOT,
                                " %+.1f/s",
                                lag.path("recordsPerSecond").asDouble());
    }
}
