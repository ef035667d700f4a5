package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.wherry.cli.CoordinatorClient.Answer;
import io.wherry.contract.record.Json;
import java.io.PrintWriter;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/** {@code wherry verify --repair}: has a running coordinator bring rows right that differ. */
final class VerifyRepair {
    private static final long POLL_MILLIS = 200;
    private static final Set<String> LAST = Set.of("EQUAL", "DIFFERS", "CHANGES", "REFUSED");

    private final CoordinatorClient client;
    private final PrintWriter out;
    private final boolean json;

    VerifyRepair(CoordinatorClient client, PrintWriter out, boolean json) {
        this.client = client;
        this.out = out;
        this.json = json;
    }

    /** @param tables by name; none = all */
    int repair(List<String> tables, boolean dryRun, boolean wait) throws InterruptedException {
        Answer answer = client.order(
                "/api/verify/repair?dryRun=" + dryRun + (tables.isEmpty() ? "" : "&") + VerifyActions.query(tables));
        if (answer.failed()) {
            return refused(answer);
        }
        JsonNode order = answer.body();
        if (!json) {
            out.print(text(order));
            out.flush();
        }
        int code = refusals(order) ? ExitCode.DATA_DIFFER : ExitCode.DONE;
        if (wait && order.path("rows").asInt() > 0) {
            return Math.max(code, await(order));
        }
        if (json) {
            out.println(order);
        }
        return code;
    }

    private static boolean refusals(JsonNode order) {
        for (JsonNode table : order.path("tables")) {
            if (!table.path("refused").asText().isEmpty()) {
                return true;
            }
        }
        return false;
    }

    /** One line for each table, and what to do when nothing differs. */
    private static String text(JsonNode order) {
        StringBuilder lines = new StringBuilder();
        String verb = order.path("dryRun").asBoolean() ? " rows would be repaired" : " rows are being repaired";
        for (JsonNode table : order.path("tables")) {
            String refused = table.path("refused").asText();
            lines.append("  ").append(table.path("table").asText()).append(": ");
            lines.append(refused.isEmpty() ? table.path("rows").asText() + verb : "NOT REPAIRED: " + refused)
                    .append('\n');
        }
        return order.path("tables").isEmpty()
                ? "no row is known to differ; wherry verify start --wait looks for such rows\n"
                : lines.toString();
    }

    /** Waits until it is known of each row what became of it. */
    private int await(JsonNode order) throws InterruptedException {
        Set<String> tables = new TreeSet<>();
        order.path("tables").forEach(table -> tables.add(table.path("table").asText()));
        String last = "";
        while (true) {
            Answer answer = client.read("/api/verify", false);
            if (answer.failed()) {
                return refused(answer);
            }
            ArrayNode rows = Json.mapper().createArrayNode();
            int left = 0;
            for (JsonNode row : answer.body().path("repairs")) {
                if (tables.contains(row.path("table").asText())) {
                    rows.add(row);
                    left += LAST.contains(row.path("state").asText()) ? 0 : 1;
                }
            }
            if (left == 0) {
                return result(order, rows);
            }
            String why = answer.body().path("waitsFor").asText("");
            String progress = left + " rows are yet to be found equal" + (why.isEmpty() ? "" : ", waits for " + why);
            if (!json && !progress.equals(last)) {
                out.println(progress);
                out.flush();
                last = progress;
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    private int result(JsonNode order, ArrayNode rows) {
        if (json) {
            ((ObjectNode) order).set("repairs", rows);
            out.println(order);
        }
        if (rows.isEmpty()) {
            say(
                    "the proof has begun again, and what became of the repair is not known; wherry verify start --wait compares"
                            + " the rows");
            return ExitCode.NOT_IN_SYNC;
        }
        Set<String> states = new HashSet<>();
        int equal = 0;
        for (JsonNode row : rows) {
            String state = row.path("state").asText();
            states.add(state);
            equal += state.equals("EQUAL") ? 1 : 0;
            if (!state.equals("EQUAL")) {
                say(explained(row));
            }
        }
        say(equal + " of " + rows.size() + " rows are equal");
        if (states.contains("DIFFERS") || states.contains("REFUSED")) {
            return ExitCode.DATA_DIFFER;
        }
        return states.contains("CHANGES") ? ExitCode.NOT_IN_SYNC : ExitCode.DONE;
    }

    private static String explained(JsonNode row) {
        StringBuilder key = new StringBuilder();
        row.path("key")
                .forEach(value -> key.append(key.length() == 0 ? "" : ",").append(value.asText()));
        String became =
                switch (row.path("state").asText()) {
                    case "DIFFERS" -> "still differs; order the repair again, or wherry reload the table";
                    case "CHANGES" -> "was repaired, and changes too often to be compared; a cutover compares the row";
                    default -> "is not repaired: " + row.path("why").asText();
                };
        return row.path("table").asText() + " (" + key + ") " + became;
    }

    private void say(String line) {
        if (!json) {
            out.println(line);
        }
    }

    private int refused(Answer answer) {
        out.println(json ? answer.body().toString() : answer.message());
        return answer.code() == 400 ? ExitCode.CONFIGURATION : ExitCode.FAILED;
    }
}
