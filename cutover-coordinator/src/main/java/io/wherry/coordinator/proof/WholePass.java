package io.wherry.coordinator.proof;

import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.proof.SqlSides.Pair;
import io.wherry.coordinator.proof.SqlSides.Sums;
import io.wherry.coordinator.recheck.Recheck;
import java.sql.SQLException;

/**
 * A pass of a table without usable key: the sums of all rows of each side. It begins when the mark of the last change was taken,
 * and is given up when the witness marks the table again.
 *
 * <p>The rule is that of {@link Recheck}, with the table in the place of a key: unequal sums are a suspicion, with a position that is
 * read after both; without a new mark until that position has passed, the sums were a difference.
 */
final class WholePass implements Pass {
    private Lsn suspected;
    private long rows;

    @Override
    public Step step(SqlSides sides, Lsn passed) throws SQLException {
        if (suspected != null && suspected.isAfter(passed)) {
            return Step.WAIT;
        }
        Pair<Sums> sums;
        try {
            sums = sides.sums();
        } catch (SQLException e) {
            if (CANCELED.equals(e.getSQLState())) {
                return Step.problem("is compared as a whole, and that takes too long: " + e.getMessage());
            }
            throw e;
        }
        rows = sums.source().rows();
        if (sums.source().equals(sums.target())) {
            return Step.DONE;
        }
        if (suspected == null) {
            suspected = sides.now();
            return Step.MORE;
        }
        return new Step(
                Kind.DIFFERS,
                "holds other rows on the target: " + sums.source().rows() + " rows on the source, "
                        + sums.target().rows()
                        + " on the target");
    }

    @Override
    public long rows() {
        return rows;
    }
}
