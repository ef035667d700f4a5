package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The tables whose changes the witness sees. The server leaves out, without a word, the changes of a table that is not in the
 * publication. And it sends nothing for rows that come or go with files: a rewrite by ALTER TABLE, TRUNCATE before version 11, an
 * attached or detached partition. So the catalog is read from time to time, and compared with the reading before.
 *
 * <p>One thread looks, any thread reads {@link #tables}.
 */
final class Published {
    private final Flow flow;
    private final Connection catalog;
    private final List<String> options;
    private final Map<TableId, Membership.Member> known;
    private volatile Set<TableId> tables = Set.of();
    private volatile Set<TableId> joined = Set.of();

    /** Reads the publications before the slot is created: what is seen then is older than the slot. */
    Published(Flow flow, Connection catalog) throws SQLException {
        this.flow = flow;
        this.catalog = catalog;
        Membership first = Membership.read(catalog, flow);
        options = first.options();
        known = new TreeMap<>(first.tables());
    }

    /**
     * Once the slot exists: a table counts only if it was a member before the slot, and still is. A table that changed in between
     * is named by the first {@link #look}.
     */
    void confirm() throws SQLException {
        Membership now = read();
        known.entrySet()
                .removeIf(entry -> !isMember(entry.getValue(), now.tables().get(entry.getKey())));
        tables = Set.copyOf(known.keySet());
        joined = others(now);
    }

    private Set<TableId> others(Membership now) {
        Set<TableId> others = new TreeSet<>(now.tables().keySet());
        others.removeAll(known.keySet());
        return Set.copyOf(others);
    }

    /** The members of which changes may be missing. */
    Set<TableId> joined() {
        return joined;
    }

    Set<TableId> tables() {
        return new TreeSet<>(tables);
    }

    /**
     * Names the tables whose rows may have changed without a change in the stream.
     *
     * @throws RetryableException when a publication was altered
     */
    void look(Changes changes) throws SQLException {
        Membership now = read();
        Map<TableId, Membership.Member> before = Map.copyOf(known);
        before.forEach((table, member) -> {
            Membership.Member later = now.tables().get(table);
            boolean stays = isMember(member, later);
            if (stays) {
                known.put(table, later);
            } else {
                known.remove(table);
            }
        });
        // Before the call: a receiver that hears of a changed table must not find the table in the set any more.
        tables = Set.copyOf(known.keySet());
        joined = others(now);
        before.forEach((table, member) -> {
            if (!known.containsKey(table) || !member.sameRows(known.get(table))) {
                changes.changedWhole(table, now.lsn());
            }
        });
    }

    private Membership read() throws SQLException {
        Membership now = Membership.read(catalog, flow);
        if (!now.options().equals(options)) {
            throw new RetryableException(
                    "read",
                    "publication " + String.join(", ", flow.publications()),
                    "it was altered or re-created, so changes may be missing from the stream",
                    "");
        }
        return now;
    }

    private static boolean isMember(Membership.Member before, Membership.Member now) {
        return now != null && now.member().equals(before.member());
    }
}
