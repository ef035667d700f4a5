package io.wherry.random;

import io.wherry.random.RandomWrites.Write;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;

/**
 * The statements of several sessions on a {@link RandomSchema}, without end: the same seed gives the same statements. First each
 * table gets rows. Transactions of one to sixty statements run in turns; they commit, roll back, or are prepared and end later.
 */
public final class RandomHistory {
    private static final int SESSIONS = 4;
    private static final int MOST_PREPARED = 2;

    private final RandomSchema schema;
    private final String name;
    private final SplittableRandom random;
    private final RandomWrites writes;
    private final RandomDdl ddl;
    private final RandomRenames renames;
    private final boolean prepares;
    private final List<Session> sessions = new ArrayList<>();
    private final Queue<String> prepared = new ArrayDeque<>();
    private final Queue<HistoryStep> ahead = new ArrayDeque<>();
    private int lastPrepared;
    private int widened;

    /**
     * @param seed of this history alone, so that several histories can follow on one schema
     * @param prepares whether the server permits prepared transactions
     */
    public RandomHistory(RandomSchema schema, long seed, boolean prepares) {
        this.random = new SplittableRandom(seed ^ 0x5DEECE66DL);
        this.schema = schema;
        this.name = schema.seed() + "-" + seed;
        this.writes = new RandomWrites(schema.tables(), random);
        this.ddl = new RandomDdl(schema, random);
        this.renames = new RandomRenames(schema, random);
        this.prepares = prepares;
        for (int i = 0; i < SESSIONS; i++) {
            sessions.add(new Session(i));
        }
        for (RandomTable table : schema.tables()) {
            Write rows = writes.fill(table);
            ahead.add(new HistoryStep(0, rows.sql(), rows.data()));
        }
    }

    private static final class Session {
        final int number;
        int left;
        int savepoints;

        Session(int number) {
            this.number = number;
        }
    }

    /** The next step. */
    public HistoryStep next() {
        if (ahead.isEmpty()) {
            plan(sessions.get(random.nextInt(SESSIONS)));
        }
        return ahead.remove();
    }

    /** The steps that end all open transactions, prepared ones too; afterwards {@link #next} continues. */
    public List<HistoryStep> rest() {
        List<HistoryStep> rest = new ArrayList<>(ahead);
        ahead.clear();
        for (Session session : sessions) {
            if (session.left > 0) {
                session.left = 0;
                rest.add(step(session, "COMMIT"));
            }
        }
        while (!prepared.isEmpty()) {
            rest.add(step(sessions.get(0), "COMMIT PREPARED '" + prepared.remove() + "'"));
        }
        return rest;
    }

    /** Adds a column to one of the tables, in a transaction of its own; only when no transaction is open, after {@link #rest}. */
    public HistoryStep widen() {
        return statement(ddl.widen("more " + ++widened));
    }

    /** Gives a table or column the name of another one; only when no transaction is open, after {@link #rest}. */
    public HistoryStep rename() {
        return statement(renames.next());
    }

    /** Creates tables of another shape, with rows; only when no transaction is open. */
    public List<HistoryStep> another() {
        int known = schema.tables().size();
        List<HistoryStep> steps = new ArrayList<>();
        schema.another().forEach(sql -> steps.add(statement(sql)));
        for (RandomTable table : schema.tables().subList(known, schema.tables().size())) {
            Write rows = writes.fill(table);
            steps.add(new HistoryStep(0, rows.sql(), rows.data()));
        }
        return steps;
    }

    /**
     * Creates indexes, constraints, defaults and partitions, advances sequences, and changes large objects and rows of an
     * extension; only when no transaction is open.
     */
    public List<HistoryStep> beside() {
        List<HistoryStep> steps = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            ddl.beside().forEach(sql -> steps.add(statement(sql)));
        }
        ddl.outsideTheStream().forEach(sql -> steps.add(statement(sql)));
        ddl.orphans().forEach(sql -> steps.add(statement(sql)));
        ddl.ofExtension().forEach(sql -> steps.add(statement(sql)));
        return steps;
    }

    private static HistoryStep statement(String sql) {
        return new HistoryStep(0, sql, "");
    }

    private void plan(Session session) {
        if (session.left == 0) {
            begin(session);
        } else if (--session.left == 0) {
            end(session);
        } else if (random.nextInt(8) == 0) {
            savepoint(session);
        } else {
            write(session);
        }
    }

    private void begin(Session session) {
        if (!prepared.isEmpty() && random.nextInt(4) == 0) {
            String verb = random.nextInt(4) == 0 ? "ROLLBACK" : "COMMIT";
            add(session, verb + " PREPARED '" + prepared.remove() + "'");
        } else if (random.nextInt(5) < 2) {
            write(session);
        } else {
            add(session, random.nextInt(6) == 0 ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
            session.savepoints = 0;
            session.left = session.number == 0 ? random.nextInt(20, 61) : random.nextInt(2, 8);
        }
    }

    private void end(Session session) {
        if (prepares && prepared.size() < MOST_PREPARED && random.nextInt(5) == 0) {
            String transaction = name + "-" + ++lastPrepared;
            prepared.add(transaction);
            add(session, "PREPARE TRANSACTION '" + transaction + "'");
        } else {
            add(session, random.nextInt(5) == 0 ? "ROLLBACK" : "COMMIT");
        }
    }

    private void savepoint(Session session) {
        if (session.savepoints > 0 && random.nextBoolean()) {
            int back = random.nextInt(1, session.savepoints + 1);
            boolean kept = random.nextInt(3) == 0;
            add(session, (kept ? "RELEASE s" : "ROLLBACK TO s") + back);
            session.savepoints = kept ? back - 1 : back;
        } else {
            add(session, "SAVEPOINT s" + ++session.savepoints);
        }
    }

    private void write(Session session) {
        for (Write write : writes.next()) {
            ahead.add(new HistoryStep(session.number, write.sql(), write.data()));
        }
    }

    private void add(Session session, String sql) {
        ahead.add(step(session, sql));
    }

    private static HistoryStep step(Session session, String sql) {
        return new HistoryStep(session.number, sql, "");
    }
}
