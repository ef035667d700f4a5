package io.wherry.source;

import io.wherry.contract.error.RetryableException;

/** A thread was told to stop in the middle of its work. */
final class Stopped {
    private Stopped() {}

    static RetryableException interrupted(String operation, InterruptedException cause) {
        Thread.currentThread().interrupt();
        return new RetryableException(operation, "", "stopped", "", cause);
    }
}
