package io.wherry.contract.service;

import io.wherry.contract.error.RetryableException;

/** A thread was asked to stop in the middle of its work. */
public final class Interruption {
    private Interruption() {}

    public static RetryableException during(String operation, InterruptedException cause) {
        Thread.currentThread().interrupt();
        return new RetryableException(operation, "", "stopped", "", cause);
    }
}
