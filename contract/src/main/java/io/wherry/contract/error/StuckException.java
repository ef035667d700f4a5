package io.wherry.contract.error;

/** A part of a service did not end in time although it was told to: only the end of its process helps, and another start. */
public final class StuckException extends WherryException {
    /** @param what lives on, and where it waits */
    public StuckException(String service, String what) {
        super("end", service, what, "The process ends, to be started again; nothing is lost", null);
    }
}
