package io.wherry.coordinator.proof;

import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Recheck;
import io.wherry.coordinator.recheck.Sides.Found;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * A pass by blocks, for keys that servers order in different ways, such as texts in a language's collation. The rows of some blocks
 * of one side are listed with their hashes, and looked up on the other by their keys. First all rows of the source, then the
 * keys of the target, of which only the existence is left to prove.
 *
 * <p>A row that nobody writes stays in its block, unless the table is rewritten; then the pass fails. A row that is written gets
 * a place that this pass may miss, but then the witness names the row. The order of a text index is not used: under a changed C library
 * such an index may lead past rows.
 */
final class BlockPass implements Pass {
    private static final int FIRST_BLOCKS = 64;
    private static final int LEAST_BLOCKS = 8;
    private static final int MOST_BLOCKS = 1_024;
    private static final double WANTED_NANOS = 5e8;
    private static final int RANGES_SINCE = 14;
    // Header of a row and its pointer, the least that a row takes of a block.
    private static final int LEAST_BYTES_OF_ROW = 28;

    private final ComparedTable table;
    private final DirtyKeys dirty;
    private Place ofSource;
    private Place ofTarget;
    private boolean onSource = true;
    private long next;
    private int blocks = FIRST_BLOCKS;
    private long rows;

    /** @param file the table's file; another one after a rewrite */
    private record Place(long file, long blocks, int blockBytes) {}

    BlockPass(ComparedTable table, DirtyKeys dirty) {
        this.table = table;
        this.dirty = dirty;
    }

    @Override
    public Step step(SqlSides sides, Lsn passed) throws SQLException {
        if (ofSource == null) {
            ofTarget = place(sides, false);
            ofSource = place(sides, true);
        }
        Place place = onSource ? ofSource : ofTarget;
        if (next < place.blocks()) {
            Step step = compareOrLess(sides, place);
            return place(sides, onSource).file() == place.file() ? step : Step.problem("was rewritten during the pass");
        }
        if (onSource) {
            onSource = false;
            next = 0;
            blocks = FIRST_BLOCKS;
            return Step.MORE;
        }
        return Step.DONE;
    }

    private Step compareOrLess(SqlSides sides, Place place) throws SQLException {
        try {
            return compare(sides, place);
        } catch (SQLException e) {
            if (!CANCELED.equals(e.getSQLState())) {
                throw e;
            }
            if (blocks == LEAST_BLOCKS) {
                return Step.problem("a part of " + blocks + " blocks takes too long: " + e.getMessage());
            }
            blocks = LEAST_BLOCKS;
            return Step.MORE;
        }
    }

    private Place place(SqlSides sides, boolean source) throws SQLException {
        CatalogTable of = source ? table.source() : table.target();
        // By oid: a table that is dropped and made again is another one.
        return Queries.list(
                        sides.connection(source),
                        row -> new Place(row.getLong(1), row.getLong(2), row.getInt(3)),
                        "SELECT coalesce(pg_relation_filenode(o), 0)::bigint, coalesce(pg_relation_size(o), 0)"
                                + " / current_setting('block_size')::bigint, current_setting('block_size')::int"
                                + " FROM (SELECT " + of.oid() + "::oid::regclass AS o) AS t")
                .get(0);
    }

    private Step compare(SqlSides sides, Place place) throws SQLException {
        long began = System.nanoTime();
        List<String> condition = List.of(blocks(sides.connection(onSource), place));
        int differing = onSource ? ofSource(sides, condition) : ofTarget(sides, condition);
        if (differing > MOST_DIFFERING) {
            return Step.problem("differs widely: more than " + MOST_DIFFERING + " keys of " + blocks + " blocks");
        }
        next += blocks;
        double factor = WANTED_NANOS / Math.max(1, System.nanoTime() - began);
        blocks = (int)
                Math.max(LEAST_BLOCKS, Math.min(MOST_BLOCKS, Math.ceil(blocks * Math.max(0.5, Math.min(2, factor)))));
        return Step.MORE;
    }

    private String blocks(Connection side, Place place) throws SQLException {
        long end = next + blocks;
        if (ServerVersion.major(side) >= RANGES_SINCE) {
            return "ctid >= '(" + next + ",0)'::tid AND ctid < '(" + end + ",0)'::tid";
        }
        // Older servers would read the whole table for a range of places, but not for places that are listed.
        return "ctid = ANY (ARRAY(SELECT format('(%s,%s)', b, o)::tid FROM generate_series(" + next + "::bigint, "
                + (end - 1) + ") AS b, generate_series(1, " + place.blockBytes() / LEAST_BYTES_OF_ROW + ") AS o))";
    }

    private int ofSource(SqlSides sides, List<String> condition) throws SQLException {
        List<List<String>> keys = new ArrayList<>();
        List<String> hashes = new ArrayList<>();
        sides.list(true, condition, List.of()).forEach((key, hash) -> {
            keys.add(key);
            hashes.add(hash);
        });
        List<List<String>> differing = new ArrayList<>();
        for (int from = 0; from < keys.size(); from += Recheck.BATCH) {
            List<List<String>> some = keys.subList(from, Math.min(keys.size(), from + Recheck.BATCH));
            List<Found> found = sides.onTarget(some);
            for (int i = 0; i < some.size(); i++) {
                if (!hashes.get(from + i).equals(found.get(i).hash())) {
                    differing.add(some.get(i));
                }
            }
        }
        rows += keys.size();
        return suspects(sides, differing);
    }

    private int ofTarget(SqlSides sides, List<String> condition) throws SQLException {
        List<List<String>> keys = sides.keys(false, condition);
        List<List<String>> differing = new ArrayList<>();
        for (int from = 0; from < keys.size(); from += Recheck.BATCH) {
            List<List<String>> some = keys.subList(from, Math.min(keys.size(), from + Recheck.BATCH));
            List<Found> found = sides.onSource(some);
            for (int i = 0; i < some.size(); i++) {
                if (!found.get(i).exists()) {
                    differing.add(some.get(i));
                }
            }
        }
        return suspects(sides, differing);
    }

    private int suspects(SqlSides sides, List<List<String>> differing) throws SQLException {
        if (!differing.isEmpty() && differing.size() <= MOST_DIFFERING) {
            Lsn now = sides.now();
            differing.forEach(key -> dirty.suspect(table.id(), key, now));
        }
        return differing.size();
    }

    @Override
    public long rows() {
        return rows;
    }
}
