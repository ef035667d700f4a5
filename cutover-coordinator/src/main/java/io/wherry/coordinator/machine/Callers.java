package io.wherry.coordinator.machine;

import io.wherry.contract.error.RetryableException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The callers that wait for an answer of the coordinator. Each caller gets an answer, at the latest when the coordinator ends. Safe
 * for use by several threads.
 */
final class Callers {
    private final Set<CompletableFuture<?>> waiting = ConcurrentHashMap.newKeySet();
    private volatile String ended;

    /** A future that a caller waits for; it has already failed if the coordinator has ended. */
    <T> CompletableFuture<T> add() {
        CompletableFuture<T> answer = new CompletableFuture<>();
        waiting.add(answer);
        var unused = answer.whenComplete((result, failure) -> waiting.remove(answer));
        if (ended != null) {
            end(ended);
        }
        return answer;
    }

    /** The coordinator has ended: present and later callers get the reason. */
    void end(String why) {
        ended = why;
        waiting.forEach(answer -> answer.completeExceptionally(new RetryableException(
                "ask", "the coordinator", why, "Ask again when a coordinator runs, or ask the other coordinator")));
    }
}
