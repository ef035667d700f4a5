package io.wherry.bench;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Changes that wait to be applied. The first transaction writes a row to each table, and the last one another: so a reader of the
 * target sees when the first change has come and when the last one has.
 */
enum Workload {
    INSERT {
        @Override
        long write(Statement source, long changes, long rows) throws SQLException {
            for (long from = 1; from <= changes; from += OF_A_TRANSACTION) {
                source.execute(events(rows + from, rows + Math.min(changes, from + OF_A_TRANSACTION - 1)));
            }
            return changes;
        }
    },
    UPDATE {
        @Override
        long write(Statement source, long changes, long rows) throws SQLException {
            for (long done = 0; done < changes; ) {
                long from = done % rows + 1;
                long count = Math.min(Math.min(OF_A_TRANSACTION, changes - done), rows - from + 1);
                source.execute(UPDATE_OF + " WHERE id BETWEEN " + from + " AND " + (from + count - 1));
                done += count;
            }
            return changes;
        }
    },
    /** Four inserts, four updates and two deletes of each ten changes. */
    MIXED {
        @Override
        long write(Statement source, long changes, long rows) throws SQLException {
            long written = 0;
            long inserted = rows;
            for (long turn = 0; written < changes; turn++) {
                long inserts = OF_A_TRANSACTION * 4 / 10;
                long updatesFrom = turn * inserts % (rows / 2);
                // Rows of the transaction before.
                long deletesFrom = inserted + 1 - inserts;
                List<String> transaction = new ArrayList<>(List.of("BEGIN"));
                transaction.add(events(inserted + 1, inserted + inserts));
                transaction.add(UPDATE_OF + " WHERE id > " + updatesFrom + " AND id <= " + (updatesFrom + inserts));
                transaction.add("DELETE FROM bench.events WHERE id >= " + deletesFrom + " AND id < "
                        + (deletesFrom + inserts / 2));
                transaction.add("COMMIT");
                source.execute(String.join(";", transaction));
                inserted += inserts;
                written += inserts + Math.min(inserts, rows - updatesFrom) + inserts / 2;
            }
            return written;
        }
    },
    /** Small transactions as those of pgbench: three updates and an insert in each. */
    TPCB {
        @Override
        List<String> tables() {
            return List.of("bench.accounts", "bench.tellers", "bench.branches", "bench.history");
        }

        @Override
        List<String> creation(long rows) {
            return List.of(
                    "CREATE TABLE bench.branches (id bigint PRIMARY KEY, balance int NOT NULL, filler char(88))",
                    "CREATE TABLE bench.tellers (id bigint PRIMARY KEY, branch int, balance int NOT NULL, filler char(84))",
                    "CREATE TABLE bench.accounts (id bigint PRIMARY KEY, branch int, balance int NOT NULL, filler char(84))",
                    "CREATE TABLE bench.history (id bigint PRIMARY KEY, teller int, branch int, account bigint, delta int,"
                            + " at timestamp, filler char(22))",
                    "INSERT INTO bench.branches SELECT n, 0, '' FROM generate_series(1, 10) AS n",
                    "INSERT INTO bench.tellers SELECT n, n / 10, 0, '' FROM generate_series(1, 100) AS n",
                    "INSERT INTO bench.accounts SELECT n, n % 10, 0, '' FROM generate_series(1, " + rows + ") AS n");
        }

        @Override
        String marker(String table, int id) {
            return switch (table) {
                case "bench.history" -> "INSERT INTO bench.history (id) VALUES (" + id + ")";
                default -> "INSERT INTO " + table + " (id, balance) VALUES (" + id + ", 0)";
            };
        }

        @Override
        long write(Statement source, long changes, long rows) throws SQLException {
            long transactions = Math.max(1, changes / CHANGES_OF_TPCB);
            for (long from = 1; from <= transactions; from += AT_ONCE) {
                List<String> statements = new ArrayList<>();
                for (long n = from; n < from + AT_ONCE && n <= transactions; n++) {
                    // A multiplier that is no divisor spreads the accounts like random ones, and the same in each run.
                    long account = n * 7_919 % rows + 1;
                    long teller = n % 100 + 1;
                    long branch = n % 10 + 1;
                    String delta = " SET balance = balance + " + n % 1_000;
                    statements.addAll(List.of(
                            "BEGIN",
                            "UPDATE bench.accounts" + delta + " WHERE id = " + account,
                            "UPDATE bench.tellers" + delta + " WHERE id = " + teller,
                            "UPDATE bench.branches" + delta + " WHERE id = " + branch,
                            "INSERT INTO bench.history VALUES (" + n + ", " + teller + ", " + branch + ", " + account
                                    + ", " + n % 1_000 + ", now(), '')",
                            "COMMIT"));
                }
                source.execute(String.join(";", statements));
            }
            return transactions * CHANGES_OF_TPCB;
        }
    };

    /** Ids of the rows that the first and the last transaction write. */
    static final int FIRST = -1;

    static final int LAST = -2;

    private static final long OF_A_TRANSACTION = 1_000;
    private static final int CHANGES_OF_TPCB = 4;
    private static final long AT_ONCE = 50;
    private static final String UPDATE_OF = "UPDATE bench.events SET amount = amount + 1, kind = 'changed'";

    /** The tables that are written to. */
    List<String> tables() {
        return List.of("bench.events");
    }

    /**
     * Statements that create the tables with their first rows.
     *
     * @param rows of the large table
     */
    List<String> creation(long rows) {
        return List.of(
                "CREATE TABLE bench.events (id bigint PRIMARY KEY, account int NOT NULL, kind text NOT NULL,"
                        + " amount numeric(12,2) NOT NULL, at timestamptz NOT NULL)",
                events(1, rows));
    }

    /** The row that a transaction writes to mark its place. */
    String marker(String table, int id) {
        return "INSERT INTO " + table + " VALUES (" + id + ", 0, 'marker', 0, now())";
    }

    private static String events(long from, long to) {
        return "INSERT INTO bench.events SELECT n, n % 1000, 'kind ' || n % 7, n % 100000 / 7.0,"
                + " timestamptz '2024-01-01+00' + n * interval '1 second' FROM generate_series(" + from + "::bigint, "
                + to
                + ") AS n";
    }

    /**
     * Writes the changes between the two marks, by statements that cost this process little.
     *
     * @param rows of the large table before
     * @return rows that were changed
     */
    abstract long write(Statement source, long changes, long rows) throws SQLException;

    /** Writes the mark, the changes and the other mark. Returns the number of changed rows between the marks. */
    long write(Connection source, long changes, long rows) throws SQLException {
        try (Statement statement = source.createStatement()) {
            // Nothing that is measured waits for these commits.
            statement.execute("SET synchronous_commit = off");
            mark(statement, FIRST);
            long written = write(statement, changes, rows);
            mark(statement, LAST);
            return written;
        }
    }

    private void mark(Statement source, int id) throws SQLException {
        List<String> transaction = new ArrayList<>(List.of("BEGIN"));
        tables().forEach(table -> transaction.add(marker(table, id)));
        transaction.add("COMMIT");
        source.execute(String.join(";", transaction));
    }

    /** As a user writes it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
