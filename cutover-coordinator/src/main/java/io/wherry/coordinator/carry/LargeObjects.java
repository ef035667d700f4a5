package io.wherry.coordinator.carry;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.carry.LargeObjectReader.Large;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries large objects: number, content, owner, grants and comment. The server leaves large objects out of logical decoding, so
 * all of them are compared, and those that differ are copied: once when the tables are loaded, and again behind the fence, where
 * nothing changes any more. The source's object replaces one that differs; an object that the source no longer has is removed.
 */
public final class LargeObjects {
    /** The table under which a comparison reports large objects. */
    public static final TableId TABLE = new TableId("pg_catalog", "pg_largeobject");

    private static final Logger LOG = LoggerFactory.getLogger(LargeObjects.class);
    private static final int NAMED = 10;
    private static final long COMMIT_BYTES = 64L << 20;
    private static final int COMMIT_OBJECTS = 500;

    private final Flow flow;
    private final Opening sessions;
    private final RoleMap roles;

    public LargeObjects(Flow flow, Opening sessions) {
        this.flow = flow;
        this.sessions = sessions;
        this.roles = new RoleMap(flow.migration().roleMap());
    }

    /** An object that differs between the sides; a side is empty if the object does not exist there. */
    private record Difference(Optional<Large> source, Optional<Large> target) {
        long oid() {
            return source.or(() -> target).orElseThrow().oid();
        }
    }

    private record Compared(long ofSource, long ofTarget, List<Difference> differences) {}

    /**
     * Makes the target's large objects equal to the source's. If the work is interrupted, the objects copied so far stay. Returns
     * how many objects were copied or removed.
     */
    public int synchronize() throws SQLException {
        try (Connection source = sessions.open(flow.from(), "large objects");
                Connection target = sessions.open(flow.to(), Databases.CHANGES + "large objects")) {
            if (none(source) && none(target)) {
                return 0;
            }
            List<Difference> differences = compare(source, target, null).differences();
            copy(source, target, differences);
            return differences.size();
        }
    }

    /**
     * As {@link #synchronize}, behind the fence: every object is read once on each side, and those that were copied or removed are
     * compared once more.
     *
     * @return all objects as they are then; empty when neither side has any
     */
    public Optional<TableResult> settle() throws SQLException {
        try (Connection source = sessions.open(flow.from(), "large objects");
                Connection target = sessions.open(flow.to(), Databases.CHANGES + "large objects")) {
            if (none(source) && none(target)) {
                return Optional.empty();
            }
            Compared all = compare(source, target, null);
            if (all.differences().isEmpty()) {
                return Optional.of(result(all));
            }
            copy(source, target, all.differences());
            Compared again = compare(
                    source,
                    target,
                    all.differences().stream().map(Difference::oid).toArray(Long[]::new));
            long equal = all.ofSource() - again.ofSource();
            return Optional.of(result(new Compared(all.ofSource(), equal + again.ofTarget(), again.differences())));
        }
    }

    private static void copy(Connection source, Connection target, List<Difference> differences) throws SQLException {
        target.setAutoCommit(false);
        long bytes = 0;
        int objects = 0;
        for (Difference difference : differences) {
            bytes += replace(source, target, difference);
            objects++;
            if (bytes >= COMMIT_BYTES || objects % COMMIT_OBJECTS == 0) {
                target.commit();
                bytes = 0;
            }
        }
        target.commit();
        if (objects > 0) {
            LOG.info("{} large objects copied or removed", objects);
        }
    }

    /** Compares all large objects; empty when neither side has any. */
    public Optional<TableResult> compare() throws SQLException {
        try (Connection source = sessions.open(flow.from(), "compare");
                Connection target = sessions.open(flow.to(), "compare")) {
            if (none(source) && none(target)) {
                return Optional.empty();
            }
            return Optional.of(result(compare(source, target, null)));
        }
    }

    private static TableResult result(Compared compared) {
        List<String> named = compared.differences().stream()
                .limit(NAMED)
                .map(difference -> "(" + difference.oid() + ")")
                .toList();
        return new TableResult(
                TABLE,
                compared.ofSource(),
                compared.ofTarget(),
                compared.differences().size(),
                named,
                "");
    }

    public static boolean none(Connection database) throws SQLException {
        return !Queries.truth(database, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)");
    }

    /**
     * Reads both sides in the order of the objects' numbers, with one object of each side in memory.
     *
     * @param only numbers of the objects; null = all
     */
    private Compared compare(Connection source, Connection target, Long[] only) throws SQLException {
        List<Difference> differences = new ArrayList<>();
        long ofSource = 0;
        long ofTarget = 0;
        try (LargeObjectReader left = new LargeObjectReader(source, roles, only);
                LargeObjectReader right = new LargeObjectReader(target, new RoleMap(Map.of()), only)) {
            Optional<Large> a = left.next();
            Optional<Large> b = right.next();
            while (a.isPresent() || b.isPresent()) {
                int order = !a.isPresent()
                        ? 1
                        : !b.isPresent()
                                ? -1
                                : Long.compare(a.get().oid(), b.get().oid());
                Optional<Large> onSource = order <= 0 ? a : Optional.empty();
                Optional<Large> onTarget = order >= 0 ? b : Optional.empty();
                if (!onSource.equals(onTarget)) {
                    differences.add(new Difference(onSource, onTarget));
                }
                if (order <= 0) {
                    ofSource++;
                    a = left.next();
                }
                if (order >= 0) {
                    ofTarget++;
                    b = right.next();
                }
            }
        }
        return new Compared(ofSource, ofTarget, differences);
    }

    /** Returns the bytes copied. */
    private static long replace(Connection source, Connection target, Difference difference) throws SQLException {
        long oid = difference.oid();
        if (difference.target().isPresent()) {
            Queries.number(target, "SELECT lo_unlink(?::oid)", oid);
        }
        if (difference.source().isEmpty()) {
            return 0;
        }
        Queries.number(target, "SELECT lo_create(?::oid)::bigint", oid);
        long copied = 0;
        byte[] piece;
        do {
            piece = Queries.list(
                            source,
                            row -> row.getBytes(1),
                            "SELECT lo_get(?::oid, ?, ?)",
                            oid,
                            copied,
                            LargeObjectReader.PIECE_BYTES)
                    .get(0);
            Queries.list(target, row -> true, "SELECT lo_put(?::oid, ?, ?)", oid, copied, piece);
            copied += piece.length;
        } while (piece.length == LargeObjectReader.PIECE_BYTES);
        describe(target, difference.source().orElseThrow());
        return copied;
    }

    private static void describe(Connection target, Large object) throws SQLException {
        String name = "LARGE OBJECT " + object.oid();
        String owner = Identifiers.quote(object.owner());
        if (object.comment() != null) {
            Queries.execute(target, "COMMENT ON " + name + " IS " + Identifiers.literal(object.comment()));
        }
        Queries.execute(target, "ALTER " + name + " OWNER TO " + owner);
        if (object.grants() == null) {
            return;
        }
        Queries.execute(target, "REVOKE ALL ON " + name + " FROM PUBLIC, " + owner);
        for (String grant : object.grants()) {
            String[] parts = grant.split(" ", 3);
            Queries.execute(
                    target,
                    "GRANT " + parts[0] + " ON " + name + " TO "
                            + (parts[2].isEmpty() ? "PUBLIC" : Identifiers.quote(parts[2]))
                            + (parts[1].equals("true") ? " WITH GRANT OPTION" : ""));
        }
    }
}
