package io.wherry.contract.postgres;

import io.wherry.contract.error.DataException;
import io.wherry.contract.error.EarlierVersion;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;

/**
 * The schema {@code wherry} in the target. Every position of the target side is stored here, in the same database as the rows it
 * describes, so that one transaction can change both.
 *
 * <p>Writers: the coordinator creates the schema and writes {@code migration}, {@code journal}, {@code ddl} and {@code
 * relation.ready_at}; the sink-applier writes everything else.
 */
public final class TargetState {
    // One row for each partition that has come to a barrier of its table and waits there: everything before the
    // barrier is applied. at_offset is the offset of the marked record, next_offset the first offset after it. Written
    // with the partition's checkpoint.
    private static final String BARRIER = "CREATE TABLE IF NOT EXISTS wherry.barrier (topic text, partition int,"
            + " commit_lsn pg_lsn NOT NULL, change_order bigint NOT NULL, at_offset bigint NOT NULL,"
            + " next_offset bigint NOT NULL, PRIMARY KEY (topic, partition))";

    private static final List<String> STATEMENTS = List.of(
            "CREATE SCHEMA IF NOT EXISTS wherry",
            // One migration for each target: the coordinator refuses a second name.
            // deferred: the source's foreign keys, triggers, rules and policies at the time when they were copied.
            "CREATE TABLE IF NOT EXISTS wherry.migration (name text PRIMARY KEY, source_system text NOT NULL,"
                    + " deferred text NOT NULL, started_at timestamptz NOT NULL DEFAULT now())",
            // The state machine's transitions, each written before it is acted on. The last row is the state.
            // generation: of the flow whose to side this database is.
            "CREATE TABLE IF NOT EXISTS wherry.journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                    + " generation int NOT NULL,"
                    + " at timestamptz NOT NULL DEFAULT clock_timestamp(), state text NOT NULL,"
                    + " detail jsonb NOT NULL DEFAULT '{}')",
            // One row for each table, from the latest load plan that names the table.
            "CREATE TABLE IF NOT EXISTS wherry.relation (schema_name text, table_name text, topic text NOT NULL,"
                    + " partitions int NOT NULL, load_epoch int NOT NULL, snapshot_lsn pg_lsn NOT NULL,"
                    + " chunks int NOT NULL, rows_estimated bigint NOT NULL, bytes_estimated bigint NOT NULL,"
                    // Set by the coordinator when the table is loaded and indexed: from then on changes are applied.
                    + " ready_at timestamptz,"
                    // Set by the sink-applier when the table's partition stopped; an operator clears it.
                    + " stopped_because text,"
                    // The source's table that the rows come from: another table may have the name by now.
                    + " source_oid bigint,"
                    + " inserts bigint NOT NULL DEFAULT 0, updates bigint NOT NULL DEFAULT 0,"
                    + " deletes bigint NOT NULL DEFAULT 0, truncates bigint NOT NULL DEFAULT 0,"
                    + " PRIMARY KEY (schema_name, table_name))",
            // One row for each chunk, written in the transaction that holds the chunk's rows.
            "CREATE TABLE IF NOT EXISTS wherry.chunk (schema_name text, table_name text, load_epoch int, chunk int,"
                    + " rows bigint NOT NULL, bytes bigint NOT NULL,"
                    + " applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
                    + " PRIMARY KEY (schema_name, table_name, load_epoch, chunk))",
            // Which topic of that name was read: a topic that was deleted and re-created has another id.
            "CREATE TABLE IF NOT EXISTS wherry.topic (topic text PRIMARY KEY, id text NOT NULL)",
            // One row for each topic-partition: next_offset is the first offset not yet applied.
            "CREATE TABLE IF NOT EXISTS wherry.checkpoint (topic text, partition int, next_offset bigint NOT NULL,"
                    + " commit_lsn pg_lsn NOT NULL, epoch bigint NOT NULL, PRIMARY KEY (topic, partition))",
            BARRIER,
            // The statements of the dump that wait until tables are loaded, indexed or switched (pg_dump's post-data).
            // They are kept so that a restarted coordinator continues with the same dump. done_at is set in the
            // statement's own transaction.
            "CREATE TABLE IF NOT EXISTS wherry.ddl (id int PRIMARY KEY, stage text NOT NULL, kind text NOT NULL,"
                    + " name text NOT NULL, schema_name text, table_name text, sql text NOT NULL,"
                    + " done_at timestamptz, seconds double precision)",
            // Events of the schema that are not in the control topic yet; see SchemaLog.
            "CREATE TABLE IF NOT EXISTS wherry.schema_event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                    + " event text NOT NULL)",
            // One row: the epoch that may write. Lower ones are fenced. The switch row's transaction raises it too.
            "CREATE TABLE IF NOT EXISTS wherry.applier (one boolean PRIMARY KEY DEFAULT true CHECK (one),"
                    + " epoch bigint NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp(),"
                    // What the target lost when it came back without its last commits, and when; null = nothing.
                    + " lost text)");

    private static final String RAISE_EPOCH = """
            INSERT INTO wherry.applier AS a (epoch) VALUES (1)
            ON CONFLICT (one) DO UPDATE SET epoch = a.epoch + 1, since = clock_timestamp() RETURNING epoch
            """;

    // Taken before the rows are locked one by one: a worker that moves several checkpoints locks the rows in another
    // order.
    private static final String HOLD_CHECKPOINTS = "LOCK TABLE wherry.checkpoint IN SHARE ROW EXCLUSIVE MODE";

    private TargetState() {}

    /**
     * Whether the switch row is committed: the target serves or is about to, and nothing may be applied to it any more. The
     * target must have been prepared by {@link #create}.
     *
     * @param generation that the switch row ends
     */
    public static boolean isSwitched(Connection target, int generation) throws SQLException {
        try (Statement statement = target.createStatement();
                ResultSet row =
                        statement.executeQuery("SELECT EXISTS (SELECT FROM wherry.journal WHERE state = 'SWITCHING'"
                                + " AND generation = " + generation + ")")) {
            row.next();
            return row.getBoolean(1);
        }
    }

    /**
     * Fences every sink-applier, as part of the caller's transaction. After its commit, no transaction under an earlier epoch can
     * commit rows or checkpoints. Such transactions in progress have ended by then, as this method waits for them.
     *
     * @return the new epoch
     */
    public static long raiseEpoch(Connection target) throws SQLException {
        try (Statement statement = target.createStatement()) {
            long epoch;
            try (ResultSet row = statement.executeQuery(RAISE_EPOCH)) {
                row.next();
                epoch = row.getLong(1);
            }
            statement.execute(HOLD_CHECKPOINTS);
            statement.executeUpdate("UPDATE wherry.checkpoint SET epoch = " + epoch);
            return epoch;
        }
    }

    /**
     * To be asked before anything else is read of a target that is prepared.
     *
     * @throws DataException when an earlier version of Wherry prepared the target: this version would misread the rest
     */
    public static void requireCurrent(Connection target) throws SQLException {
        try (Statement statement = target.createStatement();
                ResultSet row =
                        statement.executeQuery("SELECT pg_catalog.to_regclass('wherry.journal') IS NULL OR EXISTS"
                                + " (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('wherry.journal')"
                                + " AND attname = 'generation')")) {
            row.next();
            if (!row.getBoolean(1)) {
                throw EarlierVersion.wrote("schema wherry on the target");
            }
        }
    }

    /** Creates what is missing; part of the caller's transaction if there is one. */
    public static void create(Connection target) throws SQLException {
        try (Statement statement = target.createStatement()) {
            for (String sql : STATEMENTS) {
                statement.execute(sql);
            }
        }
    }
}
