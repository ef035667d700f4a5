package io.wherry.sink.table;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.EarlierRows;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What the stream's next shape requires of the target's table (pure). New columns are added at their place among the changes. For
 * everything else Wherry would have to guess what happened on the source, so the table stops.
 */
public final class TableDrift {
    private static final int SHOWN = 100;

    private final TableShape shape;
    private final Map<String, Existing> existing;
    private final boolean ordered;
    private final String table;

    private TableDrift(TableShape shape, TableId altered, Map<String, Existing> existing, boolean ordered) {
        this.shape = shape;
        this.existing = existing;
        this.ordered = ordered;
        this.table = altered.quoted();
    }

    /**
     * A column of the target's table.
     *
     * @param type with its modifier, as SQL text
     */
    public record Existing(String type, boolean generated) {}

    /**
     * The statements after which the target's table can take rows of the shape; none when it already can.
     *
     * @param altered the table that gets columns: the shape's table, or the table that it is a partition of
     * @param existing the target's columns by name
     * @param ordered whether all changes of the altered table come one after another. Otherwise rows from before and after the
     *     change mix. Then an extra column on the target means nothing, and a new column keeps what earlier rows hold as its
     *     default, until the coordinator knows that the last of them has come. Counterexample: {@code ADD COLUMN at timestamptz
     *     DEFAULT now()} on a table of two partitions; the column is added in the order of one partition, then a row from before
     *     comes in the other.
     * @throws DataException when the source did something other than adding columns, or when it is not known what earlier rows
     *     hold in the new columns
     */
    public static List<String> statements(
            TableShape shape, TableId altered, Map<String, Existing> existing, boolean ordered) {
        // Shapes without definitions do not come from the source-connector.
        boolean defined = shape.columns().stream().allMatch(column -> column.definition() != null);
        return defined ? new TableDrift(shape, altered, existing, ordered).statements() : List.of();
    }

    private List<String> statements() {
        Set<String> gone = new TreeSet<>();
        existing.forEach((name, column) -> {
            if (!column.generated()) {
                gone.add(name);
            }
        });
        List<Column> added = new ArrayList<>();
        for (Column column : shape.columns()) {
            gone.remove(column.name());
            Existing twin = existing.get(column.name());
            if (twin == null) {
                added.add(column);
            } else {
                requireSame(column, twin);
            }
        }
        if (!gone.isEmpty() && (ordered || !added.isEmpty())) {
            throw gone(gone, added);
        }
        List<String> statements = new ArrayList<>();
        added.forEach(column -> add(column, statements));
        return statements;
    }

    private void requireSame(Column column, Existing twin) {
        String name = Identifiers.quote(column.name());
        String type = column.definition().type();
        if (type != null) {
            type(column, type);
        }
        if (twin.generated()) {
            throw stop(
                    "column " + name + " is generated on the target but no longer on the source",
                    "ALTER TABLE " + table + " ALTER COLUMN " + name + " DROP EXPRESSION");
        }
        if (type != null && !type.equals(twin.type())) {
            throw stop(
                    "column " + name + " has type " + type + " on the source now, " + twin.type()
                            + " on the target; rows from this point on have the new type",
                    "ALTER TABLE " + table + " ALTER COLUMN " + name + " TYPE " + type
                            + ", with the USING clause that the source had");
        }
    }

    private DataException gone(Set<String> gone, List<Column> added) {
        String names = quoted(gone);
        if (added.isEmpty()) {
            return stop(
                    "rows from this point on have no column " + names + ": it was dropped on the source",
                    gone.stream()
                            .map(name -> "ALTER TABLE " + table + " DROP COLUMN " + Identifiers.quote(name))
                            .collect(Collectors.joining("; ")));
        }
        String fresh = quoted(added.stream().map(Column::name).toList());
        String renamed = "ALTER TABLE " + table + " RENAME COLUMN "
                + Identifiers.quote(gone.iterator().next()) + " TO "
                + Identifiers.quote(added.get(0).name());
        return stop(
                "rows from this point on have no column " + names + " but a new column " + fresh
                        + ": the column was renamed on the source, or dropped and another one added",
                renamed + " if it was renamed; DROP COLUMN " + names
                        + " if it was dropped; Wherry then adds the new one");
    }

    private void add(Column column, List<String> statements) {
        ColumnDefinition definition = column.definition();
        String name = Identifiers.quote(column.name());
        if (definition.type() == null) {
            throw stop(
                    "column " + name + " was added on the source with a type that no longer exists",
                    "ALTER TABLE " + table + " ADD COLUMN " + name + " with the column's current type");
        }
        String collation = definition.collation() == null ? "" : " COLLATE " + definition.collation();
        String text = definition.type() + collation;
        String type = type(column, text).sql();
        if (definition.earlierRows() == EarlierRows.UNKNOWN) {
            throw stop(
                    "column " + name
                            + " was added on the source, which rewrote the table's rows: the rows' values of the column"
                            + " (a default of its own for each row, an identity) are not in the stream",
                    "ALTER TABLE " + table + " ADD COLUMN " + name + " " + text
                            + ", fill it from the source by key, and give it the source's default; rows that have"
                            + " changed since then come in the stream");
        }
        boolean filled = definition.earlierRows() == EarlierRows.VALUE;
        String earlier = filled ? " DEFAULT " + Identifiers.literal(definition.earlierValue()) : "";
        // Without the default, earlier rows would break NOT NULL. The source has filled these rows, and those changes
        // are yet to come.
        String notNull = filled && definition.notNull() ? " NOT NULL" : "";
        statements.add("ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS " + name + " " + type + earlier + notNull);
        if (!ordered) {
            return;
        }
        Optional<String> later = Optional.ofNullable(definition.defaultExpression())
                .flatMap(expression -> DefaultText.parse(expression, column.type()));
        if (later.isPresent()) {
            statements.add("ALTER TABLE " + table + " ALTER COLUMN " + name + " SET DEFAULT " + later.get());
        } else if (filled) {
            // The coordinator brings any other default. It reads the default from the source itself, not from the
            // registry.
            statements.add("ALTER TABLE " + table + " ALTER COLUMN " + name + " DROP DEFAULT");
        }
    }

    /**
     * Also for a type that is only compared: a remedy is a command that an operator runs, so it must not contain arbitrary text.
     */
    private TypeText type(Column column, String text) {
        return TypeText.parse(text)
                .orElseThrow(() -> stop(
                        "the registry gives column " + Identifiers.quote(column.name())
                                + " a type that does not exist: " + Identifiers.literal(shortened(text)),
                        "give the table the source's columns, and check who else writes to the registry"));
    }

    private static String shortened(String text) {
        return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…";
    }

    private static String quoted(Iterable<String> names) {
        List<String> quoted = new ArrayList<>();
        names.forEach(name -> quoted.add(Identifiers.quote(name)));
        return String.join(", ", quoted);
    }

    private DataException stop(String effect, String remedy) {
        TableId id = shape.id();
        return new DataException(
                "apply changes to", id.toString(), effect, "On the target: " + remedy + "; then " + Remedies.retry(id));
    }
}
