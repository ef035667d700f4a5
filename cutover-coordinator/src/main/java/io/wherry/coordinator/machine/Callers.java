package io.wherry.coordinator.machine;

import io.wherry.contract.error.RetryableException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Everybody who has asked the coordinator for something and waits for the answer. Each gets one, at the latest when the
 * coordinator ends. Safe for use by several threads.
 */
final class Callers {
    private final Set<CompletableFuture<?>> waiting = ConcurrentHashMap.newKeySet();
    private volatile String ended;

    /** What somebody waits for; it has failed already when the coordinator has ended. */
    <T> CompletableFuture<T> add() {
        CompletableFuture<T> answer = new CompletableFuture<>();
        waiting.add(answer);
        var unused = answer.whenComplete((result, failure) -> waiting.remove(answer));
        if (ended != null) {
            end(ended);
        }
        return answer;
    }

    /** The coordinator has ended: those who wait, and all who ask from now on, are told why. */
    void end(String why) {
        ended = why;
        waiting.forEach(answer -> answer.completeExceptionally(new RetryableException(
                "ask", "the coordinator", why, "Ask again when it is up, or ask the other one")));
    }
}
