package io.wherry.coordinator.recheck;

import io.wherry.contract.postgres.Lsn;
import java.sql.SQLException;
import java.util.List;

/** The rows of one table on both sides, by key. */
public interface Sides {
    /**
     * A row.
     *
     * @param key its key as that side writes it, which may be another text for the same key: {@code 1.00} for {@code 1.0}
     * @param hash equal texts mean equal rows; null = the row does not exist
     */
    record Found(List<String> key, String hash) {
        /** A row that does not exist. */
        public static final Found NOTHING = new Found(List.of(), null);

        /** Whether the row exists. */
        public boolean exists() {
            return hash != null;
        }

        /** Whether both rows are equal, or neither exists. */
        public boolean sameAs(Found other) {
            return exists() ? hash.equals(other.hash) : !other.exists();
        }
    }

    /** The rows of these keys on the source, as far as the table's filter wants them, in the order of the keys. */
    List<Found> onSource(List<List<String>> keys) throws SQLException;

    /** The rows of these keys on the target, in the order of the keys. */
    List<Found> onTarget(List<List<String>> keys) throws SQLException;

    /** What was found of the same keys on both sides, in the order of the keys. */
    record Both(List<Found> source, List<Found> target) {}

    /** The rows of these keys on both sides; either side may be read first, or both at the same time. */
    default Both onBoth(List<List<String>> keys) throws SQLException {
        return new Both(onSource(keys), onTarget(keys));
    }

    /** Names of the columns in which the row differs between the sides now; empty when one side has no such row, or none differs. */
    List<String> differing(List<String> key) throws SQLException;

    /**
     * A position of the source's log. Each transaction that a statement on the source has seen before this call has its end at or
     * before that position.
     */
    Lsn now() throws SQLException;
}
