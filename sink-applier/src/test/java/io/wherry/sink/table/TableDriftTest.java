package io.wherry.sink.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.EarlierRows;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.sink.table.TableDrift.Existing;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TableDriftTest {
    private static final TableId TABLE = new TableId("public", "Item");
    private static final Column ID = column("id", "integer", null, EarlierRows.NULL, null);

    @Test
    void aTableThatTakesTheRowsIsLeftAlone() {
        assertThat(statements(Map.of("id", plain("integer"), "sum", new Existing("integer", true)), ID))
                .isEmpty();
    }

    @Test
    void earlierRowsGetWhatTheSourceGaveThemAndLaterOnesTodaysDefault() {
        assertThat(statements(
                        Map.of("id", plain("integer")),
                        ID,
                        column("a", "numeric(10,2)", "5", EarlierRows.VALUE, "1'0"),
                        column("b", "text", null, EarlierRows.VALUE, "x"),
                        column("c", "text", "'y'::text", EarlierRows.NULL, null)))
                .containsExactly(
                        "ALTER TABLE \"public\".\"Item\" ADD COLUMN IF NOT EXISTS \"a\" \"pg_catalog\".\"numeric\"(10, 2) DEFAULT '1''0'",
                        "ALTER TABLE \"public\".\"Item\" ALTER COLUMN \"a\" SET DEFAULT 5",
                        "ALTER TABLE \"public\".\"Item\" ADD COLUMN IF NOT EXISTS \"b\" \"pg_catalog\".\"text\" DEFAULT 'x'",
                        "ALTER TABLE \"public\".\"Item\" ALTER COLUMN \"b\" DROP DEFAULT",
                        "ALTER TABLE \"public\".\"Item\" ADD COLUMN IF NOT EXISTS \"c\" \"pg_catalog\".\"text\"",
                        "ALTER TABLE \"public\".\"Item\" ALTER COLUMN \"c\" SET DEFAULT 'y'::\"pg_catalog\".\"text\"");
    }

    @Test
    void whatMayBeARenameIsNeverGuessed() {
        assertStopped(
                Map.of("id", plain("integer"), "old", plain("text")),
                "renamed on the source, or dropped",
                ID,
                column("new", "text", null, EarlierRows.NULL, null));
        assertStopped(Map.of("id", plain("integer"), "old", plain("text")), "dropped on the source", ID);
    }

    @Test
    void otherTypesModifiersAndLostGenerationStop() {
        assertStopped(
                Map.of("id", plain("integer"), "a", plain("character varying(10)")),
                "has type character varying(20) on the source now",
                ID,
                column("a", "character varying(20)", null, EarlierRows.NULL, null));
        assertStopped(
                Map.of("id", new Existing("integer", true)),
                "is generated on the target but no longer on the source",
                ID);
        assertStopped(
                Map.of("id", plain("integer")),
                "rewrote the table's rows",
                ID,
                column("a", "uuid", "gen_random_uuid()", EarlierRows.UNKNOWN, null));
    }

    @Test
    void withoutAnOrderRowsFromBeforeMayStillComeAndNothingIsGuessed() {
        TableId root = new TableId("public", "Root");
        TableShape filled =
                new TableShape(TABLE, List.of(ID, column("a", "integer", "2", EarlierRows.VALUE, "1")), List.of("id"));
        assertThat(TableDrift.statements(filled, root, Map.of("id", plain("integer")), false))
                .as("the default is that of the rows from before")
                .containsExactly(
                        "ALTER TABLE \"public\".\"Root\" ADD COLUMN IF NOT EXISTS \"a\" \"pg_catalog\".\"int4\" DEFAULT '1'");
        TableShape early = new TableShape(TABLE, List.of(ID), List.of("id"));
        assertThat(TableDrift.statements(early, root, Map.of("id", plain("integer"), "a", plain("integer")), false))
                .as("a row from before the column")
                .isEmpty();
        assertThatThrownBy(() -> TableDrift.statements(
                        filled, root, Map.of("id", plain("integer"), "old", plain("integer")), false))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("renamed");
    }

    private static void assertStopped(Map<String, Existing> existing, String effect, Column... columns) {
        assertThatThrownBy(() -> statements(existing, columns))
                .isInstanceOf(DataException.class)
                .hasMessageContaining(effect)
                .satisfies(e -> assertThat(((DataException) e).explained())
                        .contains("On the target: ")
                        .endsWith("; then wherry retry --table public.Item"));
    }

    private static List<String> statements(Map<String, Existing> existing, Column... columns) {
        return TableDrift.statements(new TableShape(TABLE, List.of(columns), List.of("id")), TABLE, existing, true);
    }

    private static Existing plain(String type) {
        return new Existing(type, false);
    }

    private static Column column(String name, String type, String standard, EarlierRows earlier, String value) {
        return new Column(
                name,
                new TypeName("pg_catalog", "text"),
                new ColumnDefinition(type, null, false, standard, earlier, value));
    }
}
