package io.wherry.contract.service;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Closing what is given up anyway: its failure is logged and must not hide the reason for giving up. */
public final class Quietly {
    private static final Logger LOG = LoggerFactory.getLogger(Quietly.class);

    private Quietly() {}

    public static void close(AutoCloseable resource) {
        if (resource == null) {
            return;
        }
        try {
            resource.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            log("closing " + resource.getClass().getSimpleName(), e);
        }
    }

    public static void log(String what, Exception failure) {
        LOG.debug("{}: {}", what, failure.toString());
    }
}
