package io.wherry.contract.record;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.EarlierVersion;

/** Checks the generation that a record names ({@link Flow}). A record without a generation reads as generation 0. */
public final class Generations {
    private Generations() {}

    /** @throws DataException when the record names no generation: an earlier version of Wherry wrote it */
    public static void require(int generation) {
        if (generation < Flow.FIRST_GENERATION) {
            throw EarlierVersion.wrote("a record");
        }
    }
}
