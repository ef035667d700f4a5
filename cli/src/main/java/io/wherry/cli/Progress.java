package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.error.Masking;
import io.wherry.contract.record.Json;
import java.io.PrintWriter;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Shows a migration's progress: on a terminal a bar that is redrawn, otherwise a line whenever the state changes and every few
 * seconds, or the status as JSON lines.
 */
public final class Progress implements AutoCloseable {
    private static final int BAR = 30;
    private static final long TERMINAL_MILLIS = 250;
    private static final long PLAIN_MILLIS = 5_000;

    private final PrintWriter out;
    private final Supplier<?> status;
    private final boolean json;
    private final boolean terminal;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "wherry-progress");
        thread.setDaemon(true);
        return thread;
    });
    private String lastState = "";
    private long lastPlain = System.nanoTime() - TimeUnit.MILLISECONDS.toNanos(PLAIN_MILLIS);

    /** @param status record with the names of the status JSON */
    public Progress(PrintWriter out, Supplier<?> status, boolean json) {
        this.out = out;
        this.status = status;
        this.json = json;
        this.terminal = !json && System.console() != null;
    }

    public void start() {
        var unused = timer.scheduleWithFixedDelay(this::show, 0, TERMINAL_MILLIS, TimeUnit.MILLISECONDS);
    }

    private synchronized void show() {
        JsonNode seen = Json.mapper().valueToTree(status.get());
        JsonNode now = Masking.mask(seen);
        String state = now.path("state").asText();
        boolean changed = !state.equals(lastState);
        boolean due = System.nanoTime() - lastPlain >= TimeUnit.MILLISECONDS.toNanos(PLAIN_MILLIS);
        if (terminal) {
            out.print("\r\033[K" + line(now) + (changed ? "\n" : ""));
        } else if (changed || due) {
            out.println(json ? now.toString() : line(now));
            lastPlain = System.nanoTime();
        }
        out.flush();
        lastState = state;
    }

    static String line(JsonNode status) {
        long loaded = 0;
        long estimated = 0;
        long applied = 0;
        for (JsonNode table : status.path("tables")) {
            loaded += table.path("rowsLoaded").asLong();
            estimated += Math.max(
                    table.path("rowsEstimated").asLong(),
                    table.path("rowsLoaded").asLong());
            for (JsonNode count : table.path("applied")) {
                applied += count.asLong();
            }
        }
        boolean loading = status.path("state").asText().equals("LOADING");
        double part = loading ? estimated == 0 ? 0 : (double) loaded / estimated : 1;
        int full = (int) (part * BAR);
        JsonNode lag = status.path("lag").path("endToEndMillis");
        return String.format(
                "%-16s [%s%s] %,d rows loaded, %,d changes applied, lag %s",
                status.path("state").asText(),
                "#".repeat(full),
                ".".repeat(BAR - full),
                loaded,
                applied,
                lag.isNumber() ? lag.asText() + " ms" : "unknown");
    }

    /** Shows the last status once more. */
    @Override
    public void close() {
        timer.shutdown();
        if (terminal) {
            out.println();
        }
        out.flush();
    }
}
