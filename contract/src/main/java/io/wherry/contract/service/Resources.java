package io.wherry.contract.service;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Closes a resource after a failure or at the end: a failure to close is logged and must not hide the first failure. */
public final class Resources {
    private static final Logger LOG = LoggerFactory.getLogger(Resources.class);

    private Resources() {}

    public static void closeQuietly(AutoCloseable resource) {
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
