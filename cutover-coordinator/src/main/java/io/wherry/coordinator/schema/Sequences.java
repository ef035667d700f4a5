package io.wherry.coordinator.schema;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.schema.SchemaAdditions.Addition;
import io.wherry.coordinator.sql.Queries;
import java.sql.Array;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The sequences of both sides. Logical replication carries neither sequences nor their values. Wherry creates new sequences on the
 * target like new tables, and sets the values at the switch.
 */
public final class Sequences {
    private static final String ALL = """
            SELECT n.nspname, c.relname, d.deptype = 'i', tn.nspname, t.relname, a.attname,
                   format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %s', format_type(s.seqtypid, NULL),
                          s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
                          CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
                   s.seqmin, s.seqmax, s.seqstart, pg_catalog.has_sequence_privilege(c.oid, 'UPDATE'),
                   ARRAY(SELECT un.nspname::text || E'\\n' || u.relname FROM pg_depend e JOIN pg_attrdef f ON f.oid = e.objid
                           JOIN pg_class u ON u.oid = f.adrelid JOIN pg_namespace un ON un.oid = u.relnamespace
                          WHERE e.classid = 'pg_attrdef'::regclass AND e.refclassid = 'pg_class'::regclass AND e.refobjid = c.oid),
                   EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
              LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0
                                   AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
              LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
              LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'wherry'
               AND (NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                   AND d.objid = c.oid AND d.deptype = 'e')
                    -- Sequences of an extension's tables that hold users' rows.
                    OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig) OR EXISTS (
                                 SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (e.extconfig)
                                    AND d.deptype IN ('a', 'i'))))
             ORDER BY 1, 2
            """;

    private static final String TABLES =
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    + " WHERE c.relkind IN ('r', 'p', 'f')";

    private final Flow flow;
    private final List<Sequence> ofSource;
    private final Map<TableId, Sequence> ofTarget;
    private final Map<Column, Sequence> ofColumns;
    private final Set<TableId> tablesOfTarget;

    private Sequences(Flow flow, List<Sequence> ofSource, List<Sequence> ofTarget, Set<TableId> tablesOfTarget) {
        this.flow = flow;
        this.ofSource = ofSource;
        this.ofTarget = new LinkedHashMap<>();
        this.ofColumns = new LinkedHashMap<>();
        this.tablesOfTarget = tablesOfTarget;
        for (Sequence sequence : ofTarget) {
            this.ofTarget.put(sequence.id, sequence);
            sequence.owner.ifPresent(column -> ofColumns.put(column, sequence));
        }
    }

    /** The column that a sequence belongs to. */
    private record Column(TableId table, String name) {}

    /**
     * @param identity whether the server has created the sequence for an identity column
     * @param users tables with a default that takes values from the sequence
     * @param writable whether Wherry's role may set the value
     * @param ofExtension whether an extension creates the sequence; then Wherry carries only the value
     */
    private record Sequence(
            TableId id,
            boolean identity,
            Optional<Column> owner,
            Set<TableId> users,
            String parameters,
            long least,
            long most,
            long start,
            boolean writable,
            boolean ofExtension) {
        String statement(String verb) {
            return verb + " SEQUENCE " + id.quoted() + " " + parameters;
        }
    }

    /** @param called whether the value was already returned: then the next value is one step further */
    private record Value(long last, boolean called) {}

    public static Sequences read(Flow flow, Connection source, Connection target) throws SQLException {
        return new Sequences(
                flow,
                Queries.list(source, Sequences::sequence, ALL),
                Queries.list(target, Sequences::sequence, ALL),
                new HashSet<>(Queries.list(target, row -> new TableId(row.getString(1), row.getString(2)), TABLES)));
    }

    private static Sequence sequence(ResultSet row) throws SQLException {
        Optional<Column> owner = row.getString(4) == null
                ? Optional.empty()
                : Optional.of(new Column(new TableId(row.getString(4), row.getString(5)), row.getString(6)));
        Array users = row.getArray(12);
        Set<TableId> tables = new TreeSet<>();
        for (String user : (String[]) users.getArray()) {
            int end = user.indexOf('\n');
            tables.add(new TableId(user.substring(0, end), user.substring(end + 1)));
        }
        return new Sequence(
                new TableId(row.getString(1), row.getString(2)),
                row.getBoolean(3),
                owner,
                tables,
                row.getString(7),
                row.getLong(8),
                row.getLong(9),
                row.getLong(10),
                row.getBoolean(11),
                row.getBoolean(13));
    }

    private boolean create() {
        return flow.migration().schema() == TargetSchemaMode.CREATE;
    }

    /**
     * Whether the target must have the sequence. In a schema that Wherry creates: all sequences except those of tables that are not
     * carried. In another schema: the sequences from which a selected table takes its values.
     */
    private boolean isWanted(Sequence sequence) {
        if (sequence.ofExtension) {
            return false;
        }
        if (create()) {
            return sequence.owner
                    .map(Column::table)
                    .map(table -> flow.migration().tables().selects(table) || tablesOfTarget.contains(table))
                    .orElse(true);
        }
        return sequence.owner
                        .map(Column::table)
                        .filter(flow.migration().tables()::selects)
                        .isPresent()
                || sequence.users.stream().anyMatch(flow.migration().tables()::selects);
    }

    /**
     * The sequence that takes the value on the target: the one with the same name or, in a schema that Wherry has not created, the
     * one of the same column.
     */
    private Optional<Sequence> twin(Sequence sequence) {
        Optional<Sequence> named = Optional.ofNullable(ofTarget.get(sequence.id));
        return create() ? named : named.or(() -> sequence.owner.map(ofColumns::get));
    }

    private List<Sequence> missing() {
        return ofSource.stream()
                .filter(sequence -> isWanted(sequence) && twin(sequence).isEmpty())
                .toList();
    }

    /** Sequences to be created on the target; an identity column creates its own. */
    Set<TableId> fresh() {
        return missing().stream()
                .filter(sequence -> create() && !sequence.identity)
                .map(Sequence::id)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The statements that give each sequence of {@link #fresh} to its column; the dump of a sequence alone leaves this out. */
    List<String> owners(Set<TableId> fresh) {
        return ofSource.stream()
                .filter(sequence -> fresh.contains(sequence.id))
                .flatMap(sequence -> sequence.owner.stream()
                        .filter(column -> tablesOfTarget.contains(column.table))
                        .map(column -> "ALTER SEQUENCE " + sequence.id.quoted() + " OWNED BY " + column.table.quoted()
                                + "." + Identifiers.quote(column.name)))
                .toList();
    }

    /** Sequences that the target lacks, one line each with the remedy. */
    List<String> obstacles() {
        return missing().stream()
                .map(sequence -> "sequence " + sequence.id + " exists on the source only: "
                        + (create()
                                ? "wait until Wherry creates the sequence on the target; if nextSteps says that this failed, create it there: "
                                : "create the sequence on the target: ")
                        + sequence.statement("CREATE"))
                .toList();
    }

    /** The same before the start, for sequences that Wherry does not create. */
    public List<Finding> findings() {
        return missing().stream()
                .map(sequence -> Finding.error(
                        "sequence " + sequence.id,
                        "does not exist on the target, and a selected table takes its values from it",
                        "On the target: " + sequence.statement("CREATE")))
                .toList();
    }

    /** Sequences whose parameters were altered on the source. */
    List<Addition> additions() {
        List<Addition> additions = new ArrayList<>();
        for (Sequence sequence : ofSource) {
            Sequence twin = ofTarget.get(sequence.id);
            if (create() && !sequence.ofExtension && twin != null && !twin.parameters.equals(sequence.parameters)) {
                // The sequence's value on the target, which is not in use yet, may be outside the new bounds.
                String alter = sequence.statement("ALTER") + " RESTART WITH " + sequence.start;
                additions.add(new Addition(
                        "sequence " + sequence.id.quoted(),
                        sequence.id,
                        sequence.id,
                        sequence.parameters,
                        true,
                        alter));
            }
        }
        return additions;
    }

    /** Values that the target would refuse, one line each with the remedy. */
    public List<String> refused(Connection source) throws SQLException {
        List<String> refused = new ArrayList<>();
        for (Sequence sequence : ofSource) {
            Sequence twin = twin(sequence).orElse(null);
            if (twin == null) {
                continue;
            }
            long value = value(source, sequence).last();
            if (!twin.writable) {
                refused.add("sequence " + twin.id
                        + ": Wherry's role may not set the value on the target. GRANT UPDATE ON SEQUENCE "
                        + twin.id.quoted()
                        + " TO " + Identifiers.quote(flow.to().user()));
            } else if (value < twin.least || value > twin.most) {
                refused.add("sequence " + twin.id + ": the value on the source, " + value
                        + ", is not within the target's bounds, " + twin.least + " and " + twin.most
                        + ". On the target: ALTER SEQUENCE " + twin.id.quoted() + " " + sequence.parameters
                        + " RESTART WITH " + sequence.start);
            }
        }
        return refused;
    }

    /** How many values are set at the switch. */
    public long carried() {
        return ofSource.stream().filter(sequence -> twin(sequence).isPresent()).count();
    }

    /**
     * Sets the values on the target. A rollback does not undo this, without harm: no application uses the values before the switch.
     *
     * @throws DataException when the target lacks a sequence
     */
    public void carry(Connection source, Connection target) throws SQLException {
        List<String> obstacles = obstacles();
        if (!obstacles.isEmpty()) {
            throw new DataException("set sequences", "", String.join("; ", obstacles), "");
        }
        for (Sequence sequence : ofSource) {
            Optional<Sequence> twin = twin(sequence);
            if (twin.isPresent()) {
                Value value = value(source, sequence);
                Queries.execute(
                        target,
                        "SELECT pg_catalog.setval("
                                + Identifiers.literal(twin.get().id.quoted()) + "::pg_catalog.regclass, " + value.last()
                                + ", " + value.called() + ")");
            }
        }
    }

    private static Value value(Connection source, Sequence sequence) throws SQLException {
        return Queries.list(
                        source,
                        row -> new Value(row.getLong(1), row.getBoolean(2)),
                        "SELECT last_value, is_called FROM " + sequence.id.quoted())
                .get(0);
    }
}
