package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.cli.CoordinatorClient.Answer;
import java.io.PrintWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** The actions of {@code wherry verify} on the proof that a running coordinator carries along. */
final class VerifyActions {
    private static final long WATCH_MILLIS = 2_000;
    private static final long POLL_MILLIS = 500;

    private final CoordinatorClient client;
    private final PrintWriter out;
    private final boolean json;

    VerifyActions(CoordinatorClient client, PrintWriter out, boolean json) {
        this.client = client;
        this.out = out;
        this.json = json;
    }

    /** Returns the exit code; with {@code watch}, only when the coordinator refuses to answer. */
    int status(boolean watch, boolean values) throws InterruptedException {
        while (true) {
            Answer answer = client.read("/api/verify", values);
            if (answer.failed()) {
                return refused(answer);
            }
            print(answer.body());
            if (!watch) {
                return VerifyView.exitCode(answer.body());
            }
            if (!json) {
                out.println();
                out.flush();
            }
            TimeUnit.MILLISECONDS.sleep(WATCH_MILLIS);
        }
    }

    /** @param tables by name; none = all */
    int start(List<String> tables, boolean wait) throws InterruptedException {
        // Before the order: a pass that begins while the answer is on its way counts.
        long began = System.nanoTime();
        Answer answer = client.order("/api/verify/start?" + query(tables));
        if (answer.failed()) {
            return refused(answer);
        }
        Set<String> meant = new TreeSet<>();
        answer.body().path("tables").forEach(table -> meant.add(table.asText()));
        if (wait) {
            return await(meant, began);
        }
        say(answer.body(), "a new pass of " + meant.size() + " tables begins; see wherry verify status");
        return ExitCode.DONE;
    }

    /** The tables as parameters of a call. */
    static String query(List<String> tables) {
        return tables.stream()
                .map(name -> "tables=" + URLEncoder.encode(name, StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
    }

    /** Waits for passes that began after the order was given. */
    private int await(Set<String> tables, long began) throws InterruptedException {
        String last = "";
        while (true) {
            // Before the question: a pass whose age in the answer is less began after the order.
            long elapsedMillis = (System.nanoTime() - began) / 1_000_000;
            Answer answer = client.read("/api/verify", false);
            if (answer.failed()) {
                return refused(answer);
            }
            if (VerifyView.done(answer.body(), tables, elapsedMillis)) {
                JsonNode report = VerifyView.only(answer.body(), tables);
                print(report);
                return VerifyView.exitCode(report);
            }
            String progress = VerifyView.progress(answer.body(), tables, elapsedMillis);
            if (!json && !progress.equals(last)) {
                out.println(progress);
                out.flush();
                last = progress;
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
    }

    int stop() {
        Answer answer = client.order("/api/verify/stop");
        return answer.failed()
                ? refused(answer)
                : say(
                        answer.body(),
                        "the proof is stopped; the witness continues to read, and no change is lost. Until wherry verify"
                                + " resume, a cutover compares more rows in its window");
    }

    int resume() {
        Answer answer = client.order("/api/verify/resume");
        return answer.failed() ? refused(answer) : say(answer.body(), "the proof continues");
    }

    private void print(JsonNode report) {
        out.println(json ? report.toString() : VerifyView.text(report).stripTrailing());
        out.flush();
    }

    private int say(JsonNode body, String text) {
        out.println(json ? body.toString() : text);
        return ExitCode.DONE;
    }

    private int refused(Answer answer) {
        out.println(json ? answer.body().toString() : answer.message());
        return answer.code() == 400 ? ExitCode.CONFIGURATION : ExitCode.FAILED;
    }
}
