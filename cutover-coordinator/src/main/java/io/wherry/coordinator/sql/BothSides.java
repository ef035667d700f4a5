package io.wherry.coordinator.sql;

import io.wherry.contract.config.Flow;
import io.wherry.contract.service.Resources;
import io.wherry.coordinator.thread.Beside;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One session for each side in auto-commit mode, and further such pairs for work that several can share.
 *
 * @param beside the thread on which the source works while the caller's thread works on the target
 * @param more the next pair; null = this is the last one
 */
public record BothSides(Connection source, Connection target, Beside beside, More more) implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BothSides.class);

    /**
     * The next pair.
     *
     * @param thread which works with that pair while the caller works with this one
     */
    public record More(BothSides sides, Beside thread) {}

    /** One piece of work that several pairs share. */
    public interface Piece<T> {
        T run(BothSides sides) throws SQLException;
    }

    /** One pair only. */
    public BothSides(Connection source, Connection target, Beside beside) {
        this(source, target, beside, null);
    }

    /**
     * Opens pairs of sessions. Those after the first are left out when a server takes no more sessions.
     *
     * @param purpose of the sessions
     * @param pairs at most, at least 1
     */
    public static BothSides open(Flow flow, BoundSessions sessions, String purpose, int pairs) throws SQLException {
        Connection source = sessions.open(flow.from(), purpose);
        Connection target;
        try {
            target = sessions.open(flow.to(), purpose);
        } catch (SQLException e) {
            Resources.closeQuietly(source);
            throw e;
        }
        More more = null;
        if (pairs > 1) {
            try {
                more = new More(open(flow, sessions, purpose, pairs - 1), new Beside("wherry-" + purpose + "-shared"));
            } catch (SQLException e) {
                LOG.warn("The {} works with {} sessions fewer on each side: {}", purpose, pairs - 1, e.getMessage());
            }
        }
        return new BothSides(source, target, new Beside("wherry-" + purpose + "-source"), more);
    }

    /** This pair and all further ones. */
    public List<BothSides> all() {
        List<BothSides> all = new ArrayList<>();
        for (BothSides each = this; each != null; each = each.more == null ? null : each.more.sides()) {
            all.add(each);
        }
        return all;
    }

    /**
     * Runs each piece with a pair of its own, all at the same time, and waits for all of them in every case.
     *
     * @param pieces at most as many as there are pairs, at least one
     * @return their results in the same order
     * @throws SQLException of the first that has failed
     */
    public <T> List<T> share(List<Piece<T>> pieces) throws SQLException {
        if (pieces.size() == 1) {
            return List.of(pieces.get(0).run(this));
        }
        return more.thread()
                .both(
                        () -> more.sides().share(pieces.subList(1, pieces.size())),
                        () -> pieces.get(0).run(this),
                        (others, own) -> {
                            List<T> all = new ArrayList<>(List.of(own));
                            all.addAll(others);
                            return all;
                        });
    }

    /** Ends threads and sessions. */
    @Override
    public void close() {
        for (BothSides each : all()) {
            each.beside.close();
            if (each.more != null) {
                each.more.thread().close();
            }
            Resources.closeQuietly(each.source);
            Resources.closeQuietly(each.target);
        }
    }
}
