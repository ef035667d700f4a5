package io.wherry.rehearsal;

import io.wherry.coordinator.machine.Status.ProofView;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Whether an operator would wait no longer for the proof: all tables are proven, or no row was compared for a while. A table that
 * always changes and has no key is never proven while applications write.
 */
public final class ProofAwaited implements BooleanSupplier {
    private static final long STILL_NANOS = 10_000_000_000L;

    private final Supplier<ProofView> proof;
    private long rows = -1;
    private long movedNanos;

    /** @param proof the proof as the status shows it now */
    public ProofAwaited(Supplier<ProofView> proof) {
        this.proof = proof;
    }

    @Override
    public boolean getAsBoolean() {
        ProofView now = proof.get();
        if (now.rowsCompared() != rows) {
            rows = now.rowsCompared();
            movedNanos = System.nanoTime();
        }
        boolean proven = now.tables() > 0 && now.proven() == now.tables();
        return proven || System.nanoTime() - movedNanos > STILL_NANOS;
    }
}
