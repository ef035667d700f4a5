package io.wherry.coordinator.carry;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.coordinator.carry.ExtensionTables.Pair;
import io.wherry.coordinator.carry.ExtensionTables.When;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.row.RowHash;
import io.wherry.coordinator.row.RowTypes;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyOut;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the users' rows in tables of extensions: the rows that pg_dump would write, by the extension's own condition. All such
 * rows are compared, and the differences are copied, as with {@link LargeObjects} (ADR 34). A publication would need the table's
 * owner, and a condition that servers before 15 do not know.
 *
 * <p>Rows that the script of the target's extension has created stay, except where the source has a row with the same key.
 */
public final class ExtensionRows {
    private static final Logger LOG = LoggerFactory.getLogger(ExtensionRows.class);

    private static final String REFERENCES = """
            SELECT n.nspname, c.relname, rn.nspname, r.relname FROM pg_constraint k
              JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
             WHERE k.contype = 'f' AND k.conrelid <> k.confrelid
            """;

    private final ExtensionTables tables;

    public ExtensionRows(Flow flow) {
        this.tables = new ExtensionTables(flow);
    }

    /** A table whose source rows are in a table of Wherry's on the target, for the length of a transaction. */
    private record Staged(Pair pair, String name) {
        private String columns() {
            return pair.columns().stream()
                    .map(column -> Identifiers.quote(column.name()))
                    .collect(Collectors.joining(", "));
        }

        /** The target's rows that the source's rows replace, as what follows FROM in SQL. */
        String replaced() {
            List<String> key = pair.target().orElseThrow().table().primaryKey();
            Set<String> carried =
                    pair.columns().stream().map(CatalogColumn::name).collect(Collectors.toSet());
            if (pair.sameCondition() || key.isEmpty() || !carried.containsAll(key)) {
                return pair.rowsOnTarget();
            }
            String values = "ROW(" + key.stream().map(Identifiers::quote).collect(Collectors.joining(", ")) + ")::text";
            String only = pair.target().orElseThrow().table().rows();
            return only + " WHERE ctid IN (SELECT ctid FROM " + pair.rowsOnTarget() + " UNION ALL SELECT ctid FROM "
                    + only + " WHERE " + values + " IN (SELECT " + values + " FROM " + name + "))";
        }

        /** Identifies the rows of both sides by hash, and by number among identical rows: there, and here. */
        private String both(RowTypes types) {
            String row = "SELECT ctid AS at, h, row_number() OVER (PARTITION BY h) AS n FROM (SELECT ctid, md5("
                    + RowHash.row(pair.columns(), types) + ") AS h FROM ";
            return "WITH there AS (" + row + replaced() + ") AS r), here AS (" + row + name + ") AS r) ";
        }

        String delete(RowTypes types) {
            return both(types) + "DELETE FROM ONLY " + pair.id().quoted() + " WHERE ctid IN (SELECT at FROM there"
                    + " WHERE NOT EXISTS (SELECT FROM here WHERE here.h = there.h AND here.n = there.n))";
        }

        String insert(RowTypes types) {
            return both(types) + "INSERT INTO " + pair.id().quoted() + " (" + columns()
                    + ") OVERRIDING SYSTEM VALUE SELECT " + columns() + " FROM " + name
                    + " WHERE ctid IN (SELECT at FROM here"
                    + " WHERE NOT EXISTS (SELECT FROM there WHERE here.h = there.h AND here.n = there.n))";
        }
    }

    /**
     * Makes the target's rows equal to the source's, within the target's transaction, and compares them there.
     *
     * @param source in auto-commit mode
     * @return number of tables that differed
     * @throws DataException when the target cannot take the rows
     */
    public int bring(Connection source, Connection target, When when) throws SQLException {
        // One snapshot for the copy and the comparison. Counterexample without the snapshot: the application writes a
        // row
        // between the two, and the target seems to have altered the rows.
        source.setAutoCommit(false);
        try {
            Queries.execute(source, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
            return bringSnapshot(source, target, when);
        } finally {
            source.rollback();
            source.setAutoCommit(true);
        }
    }

    private int bringSnapshot(Connection source, Connection target, When when) throws SQLException {
        List<Pair> pairs = tables.pairs(source, target).stream()
                .filter(pair -> pair.when() == when)
                .toList();
        if (pairs.isEmpty()) {
            return 0;
        }
        for (Finding obstacle : tables.obstacles(source, target, pairs)) {
            throw new DataException("carry rows of", obstacle.object(), obstacle.problem(), obstacle.remedy());
        }
        Session session = new Session(source, target, RowTypes.read(source, target));
        List<Staged> differing = new ArrayList<>();
        for (Pair pair : referencedFirst(target, pairs)) {
            if (!session.equal(pair)) {
                Staged staged = session.stage(pair, differing.size());
                differing.add(staged);
            }
        }
        boolean replica = !differing.isEmpty() && Queries.maySetReplicationRole(target);
        if (replica) {
            Queries.execute(target, "SET LOCAL session_replication_role = replica");
        }
        Collections.reverse(differing);
        for (Staged staged : differing) {
            Queries.update(target, staged.delete(session.types));
        }
        Collections.reverse(differing);
        for (Staged staged : differing) {
            int rows = Queries.update(target, staged.insert(session.types));
            if (!session.equal(staged)) {
                throw new DataException(
                        "carry rows of",
                        staged.pair.id().toString(),
                        "the target alters the rows when they are written",
                        "Compare the table's columns, rules and triggers on both sides");
            }
            LOG.info(
                    "{}: the rows of extension {} were brought to the target, {} of them written",
                    staged.pair.id(),
                    staged.pair.source().extension(),
                    rows);
        }
        if (replica) {
            Queries.execute(target, "SET LOCAL session_replication_role = origin");
        }
        for (Staged staged : differing) {
            Queries.execute(target, "DROP TABLE " + staged.name);
        }
        return differing.size();
    }

    /** Compares the rows that are on the target before the switch, within a transaction on the target that is rolled back. */
    public List<TableResult> compare(Connection source, Connection target) throws SQLException {
        List<TableResult> results = new ArrayList<>();
        RowTypes types = null;
        for (Pair pair : tables.pairs(source, target)) {
            if (pair.when() == When.SWITCH) {
                continue;
            }
            if (pair.target().isEmpty()) {
                results.add(new TableResult(pair.id(), 0, 0, 0, List.of(), "does not exist on the target"));
                continue;
            }
            types = types == null ? RowTypes.read(source, target) : types;
            Session session = new Session(source, target, types);
            Sums ofSource = session.sums(source, pair, pair.source().rows());
            Sums ofTarget = session.sums(target, pair, pair.rowsOnTarget());
            boolean equal = ofSource.equals(ofTarget);
            if (!equal && !pair.sameCondition()) {
                Staged staged = session.stage(pair, 0);
                ofTarget = session.sums(target, pair, staged.replaced());
                equal = ofSource.equals(ofTarget);
                target.rollback();
            }
            results.add(new TableResult(
                    pair.id(),
                    ofSource.rows(),
                    ofTarget.rows(),
                    0,
                    List.of(),
                    equal ? "" : "rows of extension " + pair.source().extension() + " differ"));
        }
        return results;
    }

    /** Tables whose rows differ, perhaps only for now. The target's session is in auto-commit mode. */
    public Set<TableId> differing(Connection source, Connection target) throws SQLException {
        target.setAutoCommit(false);
        try {
            return compare(source, target).stream()
                    .filter(result -> !result.equal())
                    .map(TableResult::table)
                    .collect(Collectors.toSet());
        } finally {
            target.rollback();
            target.setAutoCommit(true);
        }
    }

    /** Why the cutover could not bring all rows to the target. */
    public List<String> obstacles(Connection source, Connection target) throws SQLException {
        return tables.obstacles(source, target, tables.pairs(source, target)).stream()
                .map(Finding::explained)
                .toList();
    }

    /** What a cutover does with these rows. */
    public List<String> plan(Connection source, Connection target) throws SQLException {
        return tables.pairs(source, target).stream()
                .map(pair -> "target: rows of " + pair.id() + ", of extension "
                        + pair.source().extension())
                .toList();
    }

    private record Sums(long rows, Object hash) {}

    private record Session(Connection source, Connection target, RowTypes types) {
        Sums sums(Connection database, Pair pair, String rows) throws SQLException {
            return Queries.list(
                            database,
                            row -> new Sums(row.getLong(1), row.getBigDecimal(2)),
                            RowHash.table(pair.columns(), types, false, rows))
                    .get(0);
        }

        boolean equal(Pair pair) throws SQLException {
            return sums(source, pair, pair.source().rows()).equals(sums(target, pair, pair.rowsOnTarget()));
        }

        boolean equal(Staged staged) throws SQLException {
            return sums(source, staged.pair, staged.pair.source().rows())
                    .equals(sums(target, staged.pair, staged.replaced()));
        }

        Staged stage(Pair pair, int number) throws SQLException {
            Staged staged = new Staged(pair, "wherry.extension_rows_" + number);
            Queries.execute(
                    target,
                    "CREATE UNLOGGED TABLE " + staged.name + " AS SELECT " + staged.columns() + " FROM "
                            + pair.id().quoted() + " WITH NO DATA");
            CopyOut out = source.unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyOut("COPY (SELECT " + staged.columns() + " FROM "
                            + pair.source().rows() + ") TO STDOUT");
            CopyIn in = target.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY " + staged.name + " FROM STDIN");
            for (byte[] row = out.readFromCopy(); row != null; row = out.readFromCopy()) {
                in.writeToCopy(row, 0, row.length);
            }
            in.endCopy();
            return staged;
        }
    }

    /** Referenced tables first, so that foreign keys hold if the role may not switch them off. */
    private static List<Pair> referencedFirst(Connection target, List<Pair> pairs) throws SQLException {
        record Reference(TableId from, TableId to) {}
        Set<TableId> left = new HashSet<>(pairs.stream().map(Pair::id).toList());
        List<Reference> references = Queries.list(
                target,
                row -> new Reference(
                        new TableId(row.getString(1), row.getString(2)),
                        new TableId(row.getString(3), row.getString(4))),
                REFERENCES);
        List<Pair> ordered = new ArrayList<>();
        while (!left.isEmpty()) {
            Set<TableId> free = left.stream()
                    .filter(table ->
                            references.stream().noneMatch(r -> r.from().equals(table) && left.contains(r.to())))
                    .collect(Collectors.toSet());
            // Tables that refer to one another come in any order.
            Set<TableId> next = free.isEmpty() ? Set.copyOf(left) : free;
            pairs.stream().filter(pair -> next.contains(pair.id())).forEach(ordered::add);
            left.removeAll(next);
        }
        return ordered;
    }
}
