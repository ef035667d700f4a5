package io.wherry.random;

import java.util.Objects;

/**
 * One statement of one session.
 *
 * @param session from 0
 * @param data that {@code COPY … FROM STDIN} reads; empty = the step is another statement
 */
public record HistoryStep(int session, String sql, String data) {
    public HistoryStep {
        Objects.requireNonNull(sql);
        Objects.requireNonNull(data);
    }

    boolean copies() {
        return sql.startsWith("COPY ");
    }
}
