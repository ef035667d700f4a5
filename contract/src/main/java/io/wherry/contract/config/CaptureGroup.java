package io.wherry.contract.config;

/**
 * What one capture reads of the serving side: its own slot, publication and transactional id. A flow has one group by default.
 *
 * @param flow that the group belongs to
 * @param number partition of the position topic that the group writes, from 0
 */
public record CaptureGroup(Flow flow, int number) {
    public Migration migration() {
        return flow.migration();
    }

    /** The server that is captured. */
    public Endpoint from() {
        return flow.from();
    }

    /** Name of the slot; a slot's name allows {@code [a-z0-9_]} only (PostgreSQL documentation, section 26.2.6.1). */
    public String slot() {
        return "wherry_" + migration().name().replace('-', '_') + suffix();
    }

    public String publication() {
        return slot();
    }

    /** Transactional id under which changes and positions are written: a newer publisher fences the older one by this id. */
    public String transactionalId() {
        return migration().topics().changesTransactionalId() + suffix();
    }

    /** Empty for the first group of the first generation. */
    private String suffix() {
        String generation = flow.generation() == Flow.FIRST_GENERATION ? "" : "_g" + flow.generation();
        return number == 0 ? generation : generation + "_" + number;
    }
}
