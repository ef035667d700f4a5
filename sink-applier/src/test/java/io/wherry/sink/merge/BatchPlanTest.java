package io.wherry.sink.merge;

import static io.wherry.sink.merge.Change.UNCHANGED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.sink.merge.Change.Kind;
import io.wherry.sink.table.BoundTable;
import io.wherry.sink.table.TargetColumn;
import io.wherry.sink.table.TargetColumn.Equality;
import io.wherry.sink.table.TargetTable;
import io.wherry.sink.table.TargetTable.UniqueKey;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class BatchPlanTest {
    private static final TableId TABLE = new TableId("public", "people");
    private static final TypeName INT = new TypeName("pg_catalog", "int4");
    private static final TypeName TEXT = new TypeName("pg_catalog", "text");
    private static final String EQUALS = "OPERATOR(\"pg_catalog\".=)";

    private final TargetColumn id = new TargetColumn("id", INT, INT, Equality.TEXT, EQUALS, false, false);
    private final TargetColumn name = new TargetColumn("name", TEXT, TEXT, Equality.TEXT, EQUALS, false, false);
    private final TargetColumn tags =
            new TargetColumn("tags", new TypeName("pg_catalog", "_text"), null, Equality.UNKNOWN, null, false, false);

    private final BoundTable keyed = bind(List.of("id"), true, id, name, tags);
    private final BoundTable keyless = bind(List.of(), false, id, name, tags);

    @Test
    void rowsOfAKeyAreMergedColumnWise() {
        List<Step> steps = plan(
                keyed,
                insert("1", "a", "{x}"),
                update(null, "1", "b", UNCHANGED),
                insert("2", "c", null),
                update(null, "2", "d\\\"", "{}"));
        assertThat(steps)
                .containsExactly(new Step.Rows(
                        "INSERT INTO \"public\".\"people\" AS t (\"id\", \"name\", \"tags\")"
                                + " SELECT u.c0, u.c1, CAST(u.c2 AS \"pg_catalog\".\"_text\")"
                                + " FROM unnest(CAST(? AS \"pg_catalog\".\"int4\"[]), CAST(? AS \"pg_catalog\".\"text\"[]),"
                                + " CAST(? AS \"pg_catalog\".\"text\"[])) AS u(c0, c1, c2)"
                                + " ON CONFLICT (\"id\") DO UPDATE SET \"name\" = EXCLUDED.\"name\", \"tags\" = EXCLUDED.\"tags\"",
                        List.of("{\"1\",\"2\"}", "{\"b\",\"d\\\\\\\"\"}", "{\"{x}\",\"{}\"}"),
                        2,
                        false));
    }

    @Test
    void updatesOfSomeColumnsAreGroupedByTheColumnsPresent() {
        List<Step> steps = plan(
                keyed,
                update(null, "1", "a", UNCHANGED),
                update(null, "2", UNCHANGED, "{}"),
                update(null, "3", null, UNCHANGED),
                update(null, "4", UNCHANGED, UNCHANGED));
        assertThat(steps)
                .containsExactly(
                        new Step.Rows(
                                "UPDATE ONLY \"public\".\"people\" AS t SET \"name\" = u.c0"
                                        + " FROM unnest(CAST(? AS \"pg_catalog\".\"text\"[]), CAST(? AS \"pg_catalog\".\"int4\"[]))"
                                        + " AS u(c0, c1) WHERE t.\"id\" " + EQUALS + " u.c1",
                                List.of("{\"a\",NULL}", "{\"1\",\"3\"}"),
                                2,
                                true),
                        new Step.Rows(
                                "UPDATE ONLY \"public\".\"people\" AS t SET \"tags\" = CAST(u.c0 AS \"pg_catalog\".\"_text\")"
                                        + " FROM unnest(CAST(? AS \"pg_catalog\".\"text\"[]), CAST(? AS \"pg_catalog\".\"int4\"[]))"
                                        + " AS u(c0, c1) WHERE t.\"id\" " + EQUALS + " u.c1",
                                List.of("{\"{}\"}", "{\"2\"}"),
                                1,
                                true));
    }

    @Test
    void aRowThatCameAndWentLeavesNothing() {
        assertThat(plan(keyed, insert("1", "a", null), delete("1"))).isEmpty();
    }

    @Test
    void aRowDeletedAndInsertedAgainIsOneUpsertOfTheWholeRow() {
        List<Step> steps = plan(keyed, delete("1"), insert("1", "b", null), update(null, "1", "c", UNCHANGED));
        assertThat(steps).hasSize(1);
        assertThat(arrays(steps.get(0))).containsExactly("{\"1\"}", "{\"c\"}", "{NULL}");
    }

    @Test
    void aRowThatExistedAndIsDeletedAfterAllIsCounted() {
        List<Step> steps = plan(
                keyed, update(null, "1", "x", null), delete("1"), insert("1", "b", null), delete("1"), delete("2"));
        assertThat(steps)
                .containsExactly(new Step.Rows(
                        "DELETE FROM ONLY \"public\".\"people\" AS t USING unnest(CAST(? AS \"pg_catalog\".\"int4\"[])) AS u(c0)"
                                + " WHERE t.\"id\" " + EQUALS + " u.c0",
                        List.of("{\"1\",\"2\"}"),
                        2,
                        true));
    }

    @Test
    void repairsFollowWhatCameBeforeAndAllRowsAreDeletedBeforeOneIsInserted() {
        List<Step> steps = plan(
                keyed,
                insert("1", "a", null),
                repair(null, "1", "b", null),
                repair(null, "2", "c", null),
                repair(row("3", UNCHANGED, UNCHANGED)),
                repair(null, "2", "d", null),
                insert("1", "e", null));
        assertThat(steps).hasSize(3);
        Step.Repair repair = (Step.Repair) steps.get(1);
        assertThat(repair.together()).extracting(Step.Rows::counted).containsExactly(false, false);
        assertThat(repair.together().get(0).sql()).startsWith("DELETE FROM ONLY");
        assertThat(repair.together().get(0).arrays()).containsExactly("{\"1\",\"2\",\"3\"}");
        assertThat(repair.together().get(1).arrays())
                .as("the last repair of a row counts")
                .containsExactly("{\"1\",\"2\"}", "{\"b\",\"d\"}", "{NULL,NULL}");
        assertThat(repair.singly()).extracting(List::size).containsExactly(2, 2, 1);
        assertThat(arrays(steps.get(2))).containsExactly("{\"1\"}", "{\"e\"}", "{NULL}");
    }

    @Test
    void aKeyChangeIsABarrierAndKeepsAbsentColumns() {
        List<Step> steps = plan(
                keyed,
                insert("1", "a", "{x}"),
                update(row("1", UNCHANGED, UNCHANGED), "2", "b", UNCHANGED),
                insert("1", "new", null));
        assertThat(steps).hasSize(3);
        assertThat(steps.get(1))
                .isEqualTo(new Step.Rows(
                        "UPDATE ONLY \"public\".\"people\" AS t SET \"id\" = u.c0, \"name\" = u.c1"
                                + " FROM unnest(CAST(? AS \"pg_catalog\".\"int4\"[]), CAST(? AS \"pg_catalog\".\"text\"[]),"
                                + " CAST(? AS \"pg_catalog\".\"int4\"[])) AS u(c0, c1, c2) WHERE t.\"id\" " + EQUALS
                                + " u.c2",
                        List.of("{\"2\"}", "{\"b\"}", "{\"1\"}"),
                        1,
                        true));
    }

    @Test
    void anOldRowWithTheSameKeyIsNoKeyChange() {
        List<Step> steps = plan(keyed, update(row("1", "old", "{x}"), "1", "b", UNCHANGED));
        assertThat(arrays(steps.get(0))).containsExactly("{\"b\"}", "{\"1\"}");
    }

    @Test
    void anUnchangedLargeKeyIsTakenFromTheOldRow() {
        BoundTable byName = bind(List.of("name"), true, id, name);
        List<Step> steps = plan(byName, update(row(UNCHANGED, "long"), "2", UNCHANGED));
        assertThat(arrays(steps.get(0))).containsExactly("{\"2\"}", "{\"long\"}");
    }

    @Test
    void truncateIsABarrier() {
        List<Step> steps = plan(keyed, insert("1", "a", null), truncate(), insert("1", "b", null));
        assertThat(steps).hasSize(3);
        assertThat(steps.get(1)).isEqualTo(new Step.Truncate());
    }

    @Test
    void keysEqualInValueButNotInTextAreOneRow() {
        TypeName type = new TypeName("pg_catalog", "numeric");
        TargetColumn number = new TargetColumn("id", type, type, Equality.NUMERIC, EQUALS, false, false);
        BoundTable byNumber = bind(List.of("id"), true, number, name);
        List<Step> steps = plan(byNumber, delete("1.0"), insert("1.00", "a"));
        assertThat(steps).hasSize(1);
        assertThat(((Step.Rows) steps.get(0)).sql())
                .endsWith("DO UPDATE SET \"id\" = EXCLUDED.\"id\", \"name\" = EXCLUDED.\"name\"");
    }

    @Test
    void withoutATextFormOfTheKeyEachEventStaysAlone() {
        TypeName citext = new TypeName("public", "citext");
        TargetColumn word = new TargetColumn("id", citext, citext, Equality.UNKNOWN, null, false, false);
        BoundTable byWord = bind(List.of("id"), true, word, name);
        assertThat(plan(byWord, insert("a", "x"), delete("A"), insert("A", "y")))
                .hasSize(3);
    }

    @Test
    void withoutAUniqueIndexRowsAreUpdatedNotUpserted() {
        BoundTable bare = bind(List.of("id"), false, id, name);
        List<Step> steps = plan(bare, insert("1", "a"), update(null, "1", "b"));
        assertThat(steps)
                .extracting(step -> ((Step.Rows) step).sql().substring(0, 6))
                .containsExactly("INSERT", "UPDATE");
        assertThat(((Step.Rows) steps.get(0)).sql()).doesNotContain("ON CONFLICT");
    }

    @Test
    void identityColumnsAreWrittenButNeverUpdated() {
        TargetColumn always = new TargetColumn("id", INT, INT, Equality.TEXT, EQUALS, false, true);
        List<Step> steps =
                plan(bind(List.of("id"), true, always, name), insert("1", "a"), update(row("1", "a"), "1", "b"));
        assertThat(((Step.Rows) steps.get(0)).sql())
                .contains(" OVERRIDING SYSTEM VALUE SELECT ")
                .endsWith("DO UPDATE SET \"name\" = EXCLUDED.\"name\"");
    }

    @Test
    void onlyKeyColumnsDoNothingOnConflict() {
        List<Step> steps = plan(bind(List.of("id"), true, id), insert("1"));
        assertThat(((Step.Rows) steps.get(0)).sql()).endsWith("ON CONFLICT (\"id\") DO NOTHING");
    }

    @Test
    void keylessRowsAreFoundByAllColumnsInOrder() {
        List<Step> steps = plan(
                keyless,
                insert("1", "a", null),
                insert("2", "b", "{}"),
                update(row("1", "a", null), "1", "z", UNCHANGED),
                new Change(null, Kind.DELETE, row("2", "b", "{}"), null, 1, 1));
        assertThat(steps).hasSize(3);
        assertThat(arrays(steps.get(0))).containsExactly("{\"1\",\"2\"}", "{\"a\",\"b\"}", "{NULL,\"{}\"}");
        assertThat(((Step.Rows) steps.get(1)).sql())
                .startsWith("UPDATE ONLY \"public\".\"people\" AS t SET \"id\" = u.c0, \"name\" = u.c1 FROM unnest(")
                .endsWith("WHERE s.\"id\" " + EQUALS + " u.c0 AND s.\"name\" " + EQUALS
                        + " u.c1 AND s.\"tags\" IS NOT DISTINCT FROM NULL LIMIT 1)");
        assertThat(((Step.Rows) steps.get(2)).sql())
                .endsWith(
                        " AND CAST(s.\"tags\" AS text) COLLATE \"pg_catalog\".\"C\" ="
                                + " CAST(CAST(u.c2 AS \"pg_catalog\".\"_text\") AS text) COLLATE \"pg_catalog\".\"C\" LIMIT 1)");
    }

    @Test
    void keylessUpdateWithoutTheOldRowIsRefused() {
        assertThatThrownBy(() -> plan(keyless, update(null, "1", "a", null)))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("without the whole old row");
    }

    @Test
    void singlyMeansOneStatementAnEventInOrder() {
        List<Change> changes = List.of(insert("1", "a", null), insert("2", "b", null), delete("1"));
        assertThat(BatchPlan.of(keyed, changes, Way.SINGLY)).hasSize(3);
    }

    @Test
    void newRowsAreCopiedAfterTheUpdatesOfRowsThatExisted() {
        List<Change> changes = new ArrayList<>();
        changes.add(insert("1", "a", "{}"));
        changes.add(update(null, "7", "b", "{}"));
        changes.add(delete("8"));
        changes.add(insert("8", "c", "{}"));
        for (int id = 100; id < 100 + Step.Copy.FEWEST; id++) {
            changes.add(insert("" + id, "n", null));
        }
        changes.add(update(null, "100", "later", UNCHANGED));
        List<Step> steps = BatchPlan.of(keyed, changes, Way.COPY);
        assertThat(steps).hasSize(2);
        assertThat(arrays(steps.get(0))).containsExactly("{\"7\",\"8\"}", "{\"b\",\"c\"}", "{\"{}\",\"{}\"}");
        Step.Copy copy = (Step.Copy) steps.get(1);
        assertThat(copy.sql()).isEqualTo("COPY \"public\".\"people\" (\"id\", \"name\", \"tags\") FROM STDIN");
        assertThat(copy.rows()).hasSize(1 + Step.Copy.FEWEST);
        assertThat(copy.rows().get(0)).containsExactly("1", "a", "{}");
        assertThat(copy.rows().get(1)).containsExactly("100", "later", null);

        List<Step> merged = BatchPlan.of(keyed, changes, Way.MERGED);
        assertThat(merged).hasSize(1);
        assertThat(arrays(merged.get(0)).get(0)).startsWith("{\"1\",\"7\",\"8\",\"100\",");
        assertThat(BatchPlan.of(keyed, changes, Way.SINGLY)).hasSize(changes.size());
    }

    @Test
    void fewRowsLongValuesAndTablesThatCopyTreatsOtherwiseAreNotCopied() {
        List<Change> few = inserts(Step.Copy.FEWEST - 1, "n");
        List<Change> some = inserts(Step.Copy.FEWEST, "n");
        List<Change> large = new ArrayList<>(some);
        large.add(insert("1000000", "n".repeat((1 << 20) + 1), null));
        BoundTable ruled = bind(List.of("id"), true, false, id, name, tags);
        assertThat(BatchPlan.of(keyed, some, Way.COPY))
                .satisfiesExactly(
                        index -> assertThat(index)
                                .isInstanceOfSatisfying(Step.Rows.class, rows -> assertThat(rows.rows())
                                        .isZero()),
                        copy -> assertThat(copy).isInstanceOf(Step.Copy.class));
        assertThat(BatchPlan.of(keyless, some, Way.COPY)).singleElement().isInstanceOf(Step.Copy.class);
        assertThat(BatchPlan.of(keyed, few, Way.COPY)).singleElement().isInstanceOf(Step.Rows.class);
        assertThat(BatchPlan.of(keyed, large, Way.COPY)).singleElement().isInstanceOf(Step.Rows.class);
        assertThat(BatchPlan.of(ruled, some, Way.COPY)).singleElement().isInstanceOf(Step.Rows.class);
    }

    private static List<Change> inserts(int rows, String name) {
        List<Change> changes = new ArrayList<>();
        for (int id = 0; id < rows; id++) {
            changes.add(insert("" + id, name, null));
        }
        return changes;
    }

    @Test
    void aColumnThatTheTargetLacksIsNamed() {
        TableShape shape = new TableShape(TABLE, List.of(new Column("gone", TEXT)), List.of());
        assertThatThrownBy(() -> BoundTable.bind(shape, new TargetTable(TABLE, false, true, Map.of(), Map.of())))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("no column \"gone\"");
    }

    @Test
    void keyChangesAndTruncateConcernSeveralKeys() {
        TableShape shape =
                new TableShape(TABLE, List.of(new Column("id", INT), new Column("name", TEXT)), List.of("id"));
        assertThat(new Change(shape, Kind.UPDATE, row("1", UNCHANGED), row("2", "a"), 1, 1).concernsSeveralKeys())
                .isTrue();
        assertThat(new Change(shape, Kind.UPDATE, row("1", "old"), row("1", "a"), 1, 1).concernsSeveralKeys())
                .isFalse();
        assertThat(new Change(shape, Kind.UPDATE, row("1", "old"), row(UNCHANGED, "a"), 1, 1).concernsSeveralKeys())
                .isFalse();
        assertThat(truncate().concernsSeveralKeys()).isTrue();
        assertThat(insert("1", "a").concernsSeveralKeys()).isFalse();
    }

    @Test
    void canonicalTexts() {
        assertThat(Equality.NUMERIC.canonical("100.0")).isEqualTo(Equality.NUMERIC.canonical("100"));
        assertThat(Equality.NUMERIC.canonical("0.000")).isEqualTo(Equality.NUMERIC.canonical("0"));
        assertThat(Equality.NUMERIC.canonical("NaN")).isEqualTo("NaN");
        assertThat(Equality.NUMERIC.canonical("-Infinity")).isEqualTo("-Infinity");
        assertThat(Equality.FLOAT.canonical("-0")).isEqualTo("0");
        assertThat(Equality.PADDED.canonical("a \t  ")).isEqualTo("a \t");
    }

    private static BoundTable bind(List<String> identity, boolean unique, TargetColumn... columns) {
        return bind(identity, unique, true, columns);
    }

    private static BoundTable bind(List<String> identity, boolean unique, boolean copyable, TargetColumn... columns) {
        Map<String, TargetColumn> byName = new LinkedHashMap<>();
        List<Column> shape = new ArrayList<>();
        for (TargetColumn column : columns) {
            byName.put(column.name(), column);
            shape.add(new Column(column.name(), column.type()));
        }
        Map<String, String> operators = new LinkedHashMap<>();
        identity.forEach(key -> operators.put(key, EQUALS));
        Map<Set<String>, UniqueKey> keys =
                unique ? Map.of(Set.copyOf(identity), new UniqueKey(operators, Set.of(), true, false)) : Map.of();
        return BoundTable.bind(
                new TableShape(TABLE, shape, identity), new TargetTable(TABLE, false, copyable, byName, keys));
    }

    private static List<Step> plan(BoundTable table, Change... changes) {
        return BatchPlan.of(table, List.of(changes), Way.COPY);
    }

    private static List<String> arrays(Step step) {
        return ((Step.Rows) step).arrays();
    }

    private static String[] row(String... values) {
        return values;
    }

    private static Change insert(String... after) {
        return new Change(null, Kind.INSERT, null, after, 1, 1);
    }

    private static Change update(String[] before, String... after) {
        return new Change(null, Kind.UPDATE, before, after, 1, 1);
    }

    private static Change delete(String key) {
        return new Change(null, Kind.DELETE, row(key, UNCHANGED, UNCHANGED), null, 1, 1);
    }

    private static Change repair(String[] before, String... after) {
        return new Change(null, Kind.REPAIR, before, after.length == 0 ? null : after, 1, 1);
    }

    private static Change truncate() {
        return new Change(null, Kind.TRUNCATE, null, null, 1, 1);
    }
}
