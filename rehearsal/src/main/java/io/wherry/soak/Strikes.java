package io.wherry.soak;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;

/** Which faults strike in which run of a migration, and when. */
final class Strikes {
    /** Close to the number of runs of a migration, and without a common divisor with the number of kinds. */
    private static final int STEP = 17;

    private final SoakServers servers;
    private final Fleet fleet;
    private final String migration;
    private final long seed;
    private final List<FaultKind> possible;

    /** @param migration name of the migration */
    Strikes(SoakServers servers, Fleet fleet, String migration, long seed) {
        this.servers = servers;
        this.fleet = fleet;
        this.migration = migration;
        this.seed = seed;
        Faults faults = new Faults(servers, fleet, migration, new Random(seed));
        possible = Stream.of(FaultKind.values()).filter(faults::isPossible).toList();
    }

    /**
     * Every kind in turn. Each migration starts with another kind, so that each kind also strikes during a load. Every third run
     * also has a fault with a different victim.
     */
    List<FaultKind> kinds(int run, Random random) {
        FaultKind first = possible.get((int) Math.floorMod(seed * STEP + run, (long) possible.size()));
        FaultKind second = possible.get(random.nextInt(possible.size()));
        return random.nextInt(3) == 0 && second.victim() != first.victim() ? List.of(first, second) : List.of(first);
    }

    /**
     * Starts each fault at a random moment within {@code withinMillis}, and returns when all are over.
     *
     * @throws IllegalStateException when a fault could not be started
     */
    void strike(List<FaultKind> kinds, int withinMillis, Random random) throws InterruptedException {
        List<CompletableFuture<Void>> strikes = new ArrayList<>();
        for (FaultKind kind : kinds) {
            int after = random.nextInt(withinMillis);
            Faults faults = new Faults(servers, fleet, migration, new Random(random.nextLong()));
            CompletableFuture<Void> done = new CompletableFuture<>();
            strikes.add(done);
            new Thread(
                            () -> {
                                try {
                                    Thread.sleep(after);
                                    faults.strike(kind);
                                    done.complete(null);
                                } catch (InterruptedException | RuntimeException e) {
                                    done.completeExceptionally(e);
                                }
                            },
                            "soak-" + kind)
                    .start();
        }
        for (CompletableFuture<Void> strike : strikes) {
            try {
                strike.get();
            } catch (ExecutionException e) {
                throw new IllegalStateException("A fault could not be started", e.getCause());
            }
        }
    }
}
