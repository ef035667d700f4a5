package io.wherry.coordinator.dump;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.SchemaEvent.Waiting;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The statements that wait in {@code wherry.ddl}. Each statement is marked done in its own transaction, so it never runs twice. */
public final class DdlStore {
    private static final String PENDING =
            "SELECT id, stage, kind, name, schema_name, table_name, sql FROM wherry.ddl WHERE done_at IS NULL AND stage = ?";

    private DdlStore() {}

    public static void insert(Connection target, List<Ddl> plan) throws SQLException {
        insert(target, plan, 0);
    }

    /** Appends statements, within the caller's transaction. */
    public static void append(Connection target, List<Ddl> plan) throws SQLException {
        // Index builders take numbers too.
        Queries.execute(target, "LOCK TABLE wherry.ddl IN SHARE ROW EXCLUSIVE MODE");
        insert(target, plan, (int) Queries.number(target, "SELECT coalesce(max(id), 0) FROM wherry.ddl"));
    }

    /** Deletes statements of these stages that are not done, except those that drop Wherry's own indexes. */
    public static void forget(Connection target, Set<Stage> stages) throws SQLException {
        for (Stage stage : stages) {
            Queries.update(
                    target,
                    "DELETE FROM wherry.ddl WHERE done_at IS NULL AND kind <> 'DROP INDEX' AND stage = ?",
                    stage.name());
        }
    }

    /** Deletes a statement that will not run. */
    public static void forget(Connection target, Ddl ddl) throws SQLException {
        Queries.update(target, "DELETE FROM wherry.ddl WHERE id = ?", ddl.id());
    }

    private static void insert(Connection target, List<Ddl> plan, int before) throws SQLException {
        for (Ddl ddl : plan) {
            Queries.update(
                    target,
                    "INSERT INTO wherry.ddl (id, stage, kind, name, schema_name, table_name, sql)"
                            + " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    before + ddl.id(),
                    ddl.stage().name(),
                    ddl.kind(),
                    ddl.name(),
                    ddl.table().map(TableId::schema).orElse(null),
                    ddl.table().map(TableId::table).orElse(null),
                    ddl.sql());
        }
    }

    public static List<Ddl> pending(Connection target, Stage stage) throws SQLException {
        return Queries.list(target, DdlStore::ddl, PENDING + " ORDER BY id", stage.name());
    }

    public static List<Ddl> pendingFor(Connection target, TableId table) throws SQLException {
        return Queries.list(
                target,
                DdlStore::ddl,
                PENDING + " AND schema_name = ? AND table_name = ? ORDER BY id",
                Stage.TABLE.name(),
                table.schema(),
                table.table());
    }

    /** Statements of this kind that wait for the switch run after it, within the caller's transaction. */
    public static void postpone(Connection target, String kind) throws SQLException {
        Queries.update(
                target,
                "UPDATE wherry.ddl SET stage = ? WHERE done_at IS NULL AND stage = ? AND kind = ?",
                Stage.AFTER.name(),
                Stage.SWITCH.name(),
                kind);
    }

    /** Deletes the statements of a table that is dropped. */
    public static void forget(Connection target, TableId table) throws SQLException {
        Queries.update(
                target,
                "DELETE FROM wherry.ddl WHERE schema_name = ? AND table_name = ? AND stage = ?",
                table.schema(),
                table.table(),
                Stage.TABLE.name());
    }

    /** The statements of an event of the schema. */
    public static List<Ddl> plan(List<Waiting> waiting) {
        List<Ddl> plan = new ArrayList<>();
        for (Waiting one : waiting) {
            plan.add(new Ddl(
                    plan.size() + 1,
                    Stage.valueOf(one.stage()),
                    one.kind(),
                    one.name(),
                    Optional.ofNullable(one.table()),
                    one.sql()));
        }
        return plan;
    }

    /** The statements as an event of the schema has them. */
    public static List<Waiting> waiting(List<Ddl> plan) {
        return plan.stream()
                .map(ddl -> new Waiting(
                        ddl.stage().name(), ddl.kind(), ddl.name(), ddl.table().orElse(null), ddl.sql()))
                .toList();
    }

    /**
     * Whether the statement attaches an index to a parent index that does not exist, although everything before it in the dump has
     * been run. Counterexample without this check: an index is created on a partitioned table, and a partition is added at once.
     * The parent's index is created only when the new partition is ready, and the partition would wait for the parent's index.
     * Created later, the parent's index includes the partition's (PostgreSQL's documentation, CREATE INDEX, ONLY).
     */
    public static boolean lacksParent(Connection target, Ddl ddl) throws SQLException {
        Optional<String> parent = DeferredDdl.parentIndex(ddl);
        return parent.isPresent() && !Queries.truth(target, "SELECT to_regclass(?) IS NOT NULL", parent.get());
    }

    /** Runs one statement and marks it done, within the caller's transaction. */
    public static void run(Connection target, Ddl ddl) throws SQLException {
        long began = System.nanoTime();
        Queries.execute(target, ddl.sql());
        done(target, ddl, (System.nanoTime() - began) / 1e9);
    }

    /** Marks a statement done, within the caller's transaction. */
    public static void done(Connection target, Ddl ddl, double seconds) throws SQLException {
        Queries.update(
                target,
                "UPDATE wherry.ddl SET done_at = clock_timestamp(), seconds = ? WHERE id = ?",
                seconds,
                ddl.id());
    }

    /** Prevents other sessions from running the statement until the transaction ends; false if the statement is already done. */
    public static boolean lockPending(Connection target, Ddl ddl) throws SQLException {
        return !Queries.list(
                        target,
                        row -> row.getInt(1),
                        "SELECT id FROM wherry.ddl WHERE id = ? AND done_at IS NULL FOR UPDATE",
                        ddl.id())
                .isEmpty();
    }

    private static Ddl ddl(ResultSet row) throws SQLException {
        Optional<TableId> table = row.getString("table_name") == null
                ? Optional.empty()
                : Optional.of(new TableId(row.getString("schema_name"), row.getString("table_name")));
        return new Ddl(
                row.getInt("id"),
                Stage.valueOf(row.getString("stage")),
                row.getString("kind"),
                row.getString("name"),
                table,
                row.getString("sql"));
    }
}
