package io.wherry.rehearsal;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Writes to one table of any shape. New rows copy an existing row under a new key; updates copy one column of another row, so the
 * table accepts every value. If a constraint still refuses a write, the caller rolls it back.
 *
 * <p>One instance for each connection: not safe for use by several threads.
 */
final class TrafficTable {
    private static final int SAMPLE = 400;
    private static final Set<String> INTEGERS = Set.of("int2", "int4", "int8");

    private final CatalogTable table;
    private final Set<String> foreign;
    private final List<List<String>> keys = new ArrayList<>();
    private final List<List<String>> ownKeys = new ArrayList<>();
    private long nextKey;

    /**
     * @param foreign columns that refer to other tables: a new key must keep their values
     * @param firstKey of the numbers used for new keys; distinct for each connection
     */
    TrafficTable(CatalogTable table, Set<String> foreign, long firstKey) {
        this.table = table;
        this.foreign = foreign;
        this.nextKey = firstKey;
    }

    /** Reads keys of some rows to work on. */
    void sample(Connection connection) throws SQLException {
        if (!keyed()) {
            return;
        }
        String columns = table.primaryKey().stream()
                .map(c -> Identifiers.quote(c) + "::text")
                .collect(Collectors.joining(", "));
        try (PreparedStatement statement = connection.prepareStatement(
                        "SELECT " + columns + " FROM ONLY " + name() + " ORDER BY random() LIMIT " + SAMPLE);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                List<String> key = new ArrayList<>();
                for (int i = 1; i <= table.primaryKey().size(); i++) {
                    key.add(row.getString(i));
                }
                keys.add(key);
            }
        }
    }

    /** Does one random write: mostly updates, then inserts, deletes and key changes. */
    void write(Connection connection, Random random) throws SQLException {
        int dice = random.nextInt(100);
        if (!keyed()) {
            writeKeyless(connection, dice);
        } else if (dice < 50) {
            update(connection, random);
        } else if (dice < 80 || ownKeys.isEmpty()) {
            insert(connection, random);
        } else if (dice < 92) {
            delete(connection, random);
        } else {
            changeKey(connection, random);
        }
    }

    private void writeKeyless(Connection connection, int dice) throws SQLException {
        String some = "(SELECT ctid FROM ONLY " + name() + " LIMIT 1)";
        if (dice < 70) {
            String columns = columns(table.writable());
            execute(
                    connection,
                    "INSERT INTO " + name() + " (" + columns + ") SELECT " + columns + " FROM ONLY " + name()
                            + " LIMIT 1",
                    List.of());
        } else if (dice < 85) {
            String column = Identifiers.quote(table.writable().get(0).name());
            execute(
                    connection,
                    "UPDATE ONLY " + name() + " SET " + column + " = " + column + " WHERE ctid = " + some,
                    List.of());
        } else {
            execute(connection, "DELETE FROM ONLY " + name() + " WHERE ctid = " + some, List.of());
        }
    }

    private void update(Connection connection, Random random) throws SQLException {
        List<CatalogColumn> candidates = table.writable().stream()
                .filter(c -> !table.primaryKey().contains(c.name())
                        && !c.identityKind().equals("a"))
                .toList();
        if (candidates.isEmpty() || keys.isEmpty()) {
            return;
        }
        String column = Identifiers.quote(
                candidates.get(random.nextInt(candidates.size())).name());
        List<String> parameters = new ArrayList<>(any(keys, random));
        parameters.addAll(any(keys, random));
        execute(
                connection,
                "UPDATE ONLY " + name() + " SET " + column + " = coalesce((SELECT o." + column + " FROM ONLY " + name()
                        + " o WHERE " + where("o.") + "), " + column + ") WHERE " + where(""),
                parameters);
    }

    private void insert(Connection connection, Random random) throws SQLException {
        if (keys.isEmpty()) {
            return;
        }
        List<String> key = newKey(random);
        List<String> parameters = new ArrayList<>();
        List<String> expressions = new ArrayList<>();
        for (CatalogColumn column : table.writable()) {
            int at = table.primaryKey().indexOf(column.name());
            expressions.add(at < 0 ? Identifiers.quote(column.name()) : cast(column));
            if (at >= 0) {
                parameters.add(key.get(at));
            }
        }
        parameters.addAll(any(keys, random));
        boolean always = table.columns().stream().anyMatch(c -> c.identityKind().equals("a"));
        int rows = execute(
                connection,
                "INSERT INTO " + name() + " (" + columns(table.writable()) + ")"
                        + (always ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " + String.join(", ", expressions)
                        + " FROM ONLY " + name() + " WHERE " + where(""),
                parameters);
        if (rows == 1) {
            ownKeys.add(key);
        }
    }

    private void delete(Connection connection, Random random) throws SQLException {
        execute(
                connection,
                "DELETE FROM ONLY " + name() + " WHERE " + where(""),
                ownKeys.remove(random.nextInt(ownKeys.size())));
    }

    private void changeKey(Connection connection, Random random) throws SQLException {
        List<String> old = ownKeys.remove(random.nextInt(ownKeys.size()));
        List<String> changed = newKey(random);
        String assignments = table.primaryKey().stream()
                .map(c -> Identifiers.quote(c) + " = " + cast(column(c)))
                .collect(Collectors.joining(", "));
        List<String> parameters = new ArrayList<>(changed);
        parameters.addAll(old);
        if (execute(connection, "UPDATE ONLY " + name() + " SET " + assignments + " WHERE " + where(""), parameters)
                == 1) {
            ownKeys.add(changed);
        }
    }

    /** Numbers, uuids and free texts get new values; other key columns take a value that another row has. */
    private List<String> newKey(Random random) {
        List<String> key = new ArrayList<>();
        boolean fresh = false;
        for (String name : table.primaryKey()) {
            Optional<String> made = foreign.contains(name) || fresh ? Optional.empty() : made(column(name), random);
            fresh |= made.isPresent();
            int at = key.size();
            key.add(made.orElseGet(() -> any(keys, random).get(at)));
        }
        return key;
    }

    private Optional<String> made(CatalogColumn column, Random random) {
        String type =
                column.type().schema().equals("pg_catalog") ? column.type().name() : "";
        if (type.equals("int2")) {
            return Optional.of(Long.toString(10_000 + nextKey++ % 20_000));
        }
        if (INTEGERS.contains(type)) {
            return Optional.of(Long.toString(nextKey++));
        }
        if (type.equals("uuid")) {
            return Optional.of(new UUID(random.nextLong(), random.nextLong()).toString());
        }
        return type.equals("text") || type.equals("varchar") ? Optional.of("k" + nextKey++) : Optional.empty();
    }

    private int execute(Connection connection, String sql, List<String> parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.size(); i++) {
                statement.setString(i + 1, parameters.get(i));
            }
            return statement.executeUpdate();
        }
    }

    private String where(String prefix) {
        return table.primaryKey().stream()
                .map(c -> prefix + Identifiers.quote(c) + " = " + cast(column(c)))
                .collect(Collectors.joining(" AND "));
    }

    private CatalogColumn column(String name) {
        return table.columns().stream()
                .filter(c -> c.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static String cast(CatalogColumn column) {
        return "CAST(? AS " + column.type().quoted() + ")";
    }

    private static String columns(List<CatalogColumn> columns) {
        return columns.stream().map(c -> Identifiers.quote(c.name())).collect(Collectors.joining(", "));
    }

    private static List<String> any(List<List<String>> from, Random random) {
        return from.get(random.nextInt(from.size()));
    }

    private boolean keyed() {
        return !table.primaryKey().isEmpty();
    }

    private String name() {
        return table.id().quoted();
    }
}
