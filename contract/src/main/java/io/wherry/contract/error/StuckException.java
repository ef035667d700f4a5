package io.wherry.contract.error;

/** A part of a service did not end in time after a request to end. Only the end of its process helps, and a new start. */
public final class StuckException extends WherryException {
    /** @param what the part that still runs, and where it waits */
    public StuckException(String service, String what) {
        super("end", service, what, "The process ends and must be started again; nothing is lost", null);
    }
}
