package io.wherry.contract.service;

import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** Threads with names, so that a thread dump reads as a list of what is being done. */
public final class DaemonThreads {
    private DaemonThreads() {}

    /** Threads {@code name-1}, {@code name-2}: none keeps the process alive by itself. */
    public static ThreadFactory named(String name) {
        AtomicInteger count = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, name + "-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }
}
