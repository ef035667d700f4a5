package io.wherry.cli.rebuild;

import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.postgres.Lsn;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;

/** As of when a database is wanted. */
public sealed interface Moment {
    /** Everything that committed at or before the LSN. */
    record OfLsn(Lsn lsn) implements Moment {
        @Override
        public boolean isBefore(Lsn commit, long millis) {
            return commit.isAfter(lsn);
        }
    }

    /** Everything before the first commit after the time, by the source's clock. */
    record OfTime(Instant time) implements Moment {
        @Override
        public boolean isBefore(Lsn commit, long millis) {
            return millis > time.toEpochMilli();
        }
    }

    /**
     * Whether the commit came after the moment.
     *
     * @param millis time of the commit on the source's clock, ms since 1970
     */
    boolean isBefore(Lsn commit, long millis);

    /**
     * Reads an LSN ({@code 0/16B3748}) or a time with its zone ({@code 2026-05-01T12:00:00Z}).
     *
     * @throws ConfigurationException when it is neither
     */
    static Moment parse(String text) {
        try {
            return text.indexOf('/') >= 0
                    ? new OfLsn(Lsn.parse(text))
                    : new OfTime(OffsetDateTime.parse(text).toInstant());
        } catch (IllegalArgumentException | DateTimeParseException e) {
            throw new ConfigurationException(
                    "--until",
                    "'" + text + "' is neither an LSN nor a time with its zone",
                    "Write 0/16B3748, or 2026-05-01T12:00:00Z");
        }
    }
}
