package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** What {@code wherry verify} says of the coordinator's answer to {@code /api/verify} (pure). */
final class VerifyView {
    private static final int MOST_DIFFERENCES = 100;

    private VerifyView() {}

    /** 0 when every table is proven and no difference stands, 8 when one stands, 3 otherwise. */
    static int exitCode(JsonNode report) {
        if (!report.path("differences").isEmpty()) {
            return ExitCode.DATA_DIFFER;
        }
        return report.path("complete").asBoolean() ? ExitCode.DONE : ExitCode.NOT_IN_SYNC;
    }

    /** The report of these tables alone. It is not complete when one of them is not in it. */
    static JsonNode only(JsonNode report, Set<String> tables) {
        ObjectNode some = report.deepCopy();
        ArrayNode kept = some.putArray("tables");
        ArrayNode differences = some.putArray("differences");
        long proven = 0;
        long dirty = 0;
        long oldest = 0;
        for (JsonNode table : report.path("tables")) {
            if (tables.contains(table.path("table").asText())) {
                kept.add(table);
                proven += table.path("proven").asBoolean() ? 1 : 0;
                dirty += table.path("dirtyKeys").asLong();
                oldest = Math.max(oldest, table.path("ageMillis").asLong());
            }
        }
        for (JsonNode difference : report.path("differences")) {
            if (tables.contains(difference.path("table").asText())) {
                differences.add(difference);
            }
        }
        return some.put("proven", proven)
                .put("dirtyKeys", dirty)
                .put("oldestMillis", oldest)
                .put("complete", !tables.isEmpty() && proven == tables.size() && differences.isEmpty());
    }

    /**
     * Whether a pass of each of these tables has begun and ended within this time. A table that is not compared any more is not waited for.
     *
     * @param elapsedMillis since the order was given, up to before the report
     */
    static boolean done(JsonNode report, Set<String> tables, long elapsedMillis) {
        // A proof that has begun again knows no table for a moment.
        return tables.isEmpty()
                || !report.path("tables").isEmpty()
                        && waiting(report, tables, elapsedMillis).isEmpty();
    }

    private static List<JsonNode> waiting(JsonNode report, Set<String> tables, long elapsedMillis) {
        List<JsonNode> waiting = new ArrayList<>();
        for (JsonNode table : report.path("tables")) {
            JsonNode last = table.path("lastPassMillis");
            boolean ended = last.isNumber() && last.asLong() < elapsedMillis;
            if (tables.contains(table.path("table").asText()) && !ended) {
                waiting.add(table);
            }
        }
        return waiting;
    }

    /** One line for people who wait. */
    static String progress(JsonNode report, Set<String> tables, long elapsedMillis) {
        List<JsonNode> waiting = waiting(report, tables, elapsedMillis);
        String why = report.path("waitsFor").asText("");
        String running = "";
        for (JsonNode table : waiting) {
            if (running.isEmpty() && table.path("pass").isObject()) {
                running = ", " + table.path("table").asText() + ": " + pass(table);
            }
        }
        return (tables.size() - waiting.size()) + " of " + tables.size() + " tables compared" + running
                + (why.isEmpty() ? "" : ", waits for " + why);
    }

    /** A summary, the tables, the rows that differ; ends with a line end. */
    static String text(JsonNode report) {
        StringBuilder lines = new StringBuilder(summary(report)).append('\n');
        Set<String> differing = new HashSet<>();
        report.path("differences")
                .forEach(difference -> differing.add(difference.path("table").asText()));
        for (JsonNode table : report.path("tables")) {
            String name = table.path("table").asText();
            String verdict =
                    table.path("proven").asBoolean() ? "equal" : differing.contains(name) ? "DIFFERS" : "not proven";
            lines.append(String.format("  %-40s %-11s %s%n", name, verdict, detail(table)));
        }
        int shown = 0;
        for (JsonNode difference : report.path("differences")) {
            if (shown++ == MOST_DIFFERENCES) {
                int more = report.path("differences").size() - MOST_DIFFERENCES;
                return lines.append("and ")
                        .append(more)
                        .append(" more rows that differ; --json has all\n")
                        .toString();
            }
            lines.append("difference: ")
                    .append(difference.path("explained").asText())
                    .append('\n');
            difference.path("values").forEach(value -> lines.append("    ")
                    .append(value.path("column").asText())
                    .append(": source ")
                    .append(value.path("source"))
                    .append(", target ")
                    .append(value.path("target"))
                    .append('\n'));
        }
        return lines.toString();
    }

    private static String summary(JsonNode report) {
        String why = report.path("waitsFor").asText("");
        String waits = why.isEmpty() ? "" : ", waits for " + why;
        int tables = report.path("tables").size();
        if (tables == 0) {
            return "proof: none" + (report.path("stopped").asBoolean() ? ", STOPPED" : "") + waits;
        }
        int differences = report.path("differences").size();
        JsonNode eta = report.path("etaSeconds");
        return String.format(
                Locale.ROOT,
                "proof: %d of %d tables equal%s, %,d rows compared, %,d changed rows to compare%s%s%s",
                report.path("proven").asInt(),
                tables,
                differences == 0 ? "" : ", " + differences + " ROWS DIFFER",
                report.path("rowsCompared").asLong(),
                report.path("dirtyKeys").asLong(),
                report.path("proven").asInt() == 0
                        ? ""
                        : ", the oldest is " + time(report.path("oldestMillis").asLong() / 1000) + " old",
                eta.asLong() > 0 ? ", all are compared once in about " + time(eta.asLong()) : "",
                report.path("stopped").asBoolean() ? ", STOPPED" + waits : waits);
    }

    private static String detail(JsonNode table) {
        List<String> parts = new ArrayList<>();
        if (table.path("ageMillis").isNumber()) {
            parts.add("proven " + time(table.path("ageMillis").asLong() / 1000) + " ago");
        } else {
            parts.add(table.path("unproven").asText());
        }
        if (table.path("pass").isObject()) {
            parts.add("pass: " + pass(table));
        }
        if (table.path("dirtyKeys").asLong() > 0) {
            parts.add(String.format(
                    Locale.ROOT,
                    "%,d changed rows to compare",
                    table.path("dirtyKeys").asLong()));
        }
        return String.join(", ", parts);
    }

    private static String pass(JsonNode table) {
        JsonNode pass = table.path("pass");
        List<String> parts = new ArrayList<>();
        parts.add(
                table.path("percent").isNumber()
                        ? table.path("percent").asInt() + " %"
                        : String.format(
                                Locale.ROOT,
                                "%,d rows of an unknown number",
                                pass.path("rows").asLong()));
        if (pass.path("rowsPerSecond").isNumber()) {
            parts.add(String.format(
                    Locale.ROOT, "%,d rows/s", pass.path("rowsPerSecond").asLong()));
        }
        if (pass.path("bytesPerSecond").isNumber()) {
            parts.add(String.format(
                    Locale.ROOT, "about %.1f MB/s", pass.path("bytesPerSecond").asLong() / 1e6));
        }
        if (pass.path("etaSeconds").isNumber()) {
            parts.add("ends in about " + time(pass.path("etaSeconds").asLong()));
        }
        return String.join(", ", parts);
    }

    static String time(long seconds) {
        if (seconds < 120) {
            return seconds + " s";
        }
        return seconds < 7_200 ? seconds / 60 + " min" : seconds / 3_600 + " h";
    }
}
