package io.wherry.contract.error;

/** State that an earlier version of Wherry left in Kafka or on the target: refused by name, because it would be misread. */
public final class EarlierVersion {
    private EarlierVersion() {}

    /** @param what was found */
    public static DataException wrote(String what) {
        return new DataException(
                "read",
                what,
                "an earlier version of Wherry wrote it, and this version reads only what it wrote itself",
                "Complete the migration with the earlier version. Or start again: drop slot and publication on the source, delete"
                        + " this migration's topics, run DROP SCHEMA wherry CASCADE on the target, and empty the target");
    }
}
