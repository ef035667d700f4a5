package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Objects of a schema other than types and tables. A server refuses those that its version does not know. */
final class RandomObjects {
    private final List<String> schemas;
    private final List<RandomTable> tables;
    private final RandomNames names;
    private final RandomGenerator random;
    private final List<String> statements = new ArrayList<>();
    private final String noted;
    private final String audit;
    private final List<Runnable> kinds = List.of(
            this::view,
            this::view,
            this::materialized,
            this::trigger,
            this::trigger,
            this::trigger,
            this::rule,
            this::policy,
            this::comment,
            this::sequence,
            this::sequence,
            this::grant,
            this::statistics,
            this::routine,
            this::aggregate,
            this::domain,
            this::collation,
            this::searchConfiguration,
            this::foreignTable,
            this::operator);

    RandomObjects(List<String> schemas, List<RandomTable> tables, RandomNames names, RandomGenerator random) {
        this.schemas = schemas;
        this.tables = tables;
        this.names = names;
        this.random = random;
        audit = name();
        noted = name();
        statements.add(
                "CREATE TABLE " + audit + " (id bigserial PRIMARY KEY, what text, at timestamptz DEFAULT now())");
        statements.add("CREATE FUNCTION " + noted + "() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO "
                + audit + " (what) VALUES (TG_OP || ' ' || TG_WHEN); RETURN coalesce(NEW, OLD); END $f$");
        for (int i = random.nextInt(4, 16); i > 0; i--) {
            kinds.get(random.nextInt(kinds.size())).run();
        }
    }

    /** DDL and rows for the new objects, in order. */
    List<String> statements() {
        return statements;
    }

    /** A trigger that writes a row for each statement or each row. */
    private void trigger() {
        String moment = random.nextBoolean() ? "BEFORE" : "AFTER";
        String event = List.of("INSERT", "UPDATE", "DELETE", "INSERT OR UPDATE OR DELETE")
                .get(random.nextInt(4));
        String each = random.nextInt(3) == 0 ? "STATEMENT" : "ROW";
        String table = table();
        String trigger = Identifiers.quote(names.next());
        statements.add("CREATE TRIGGER " + trigger + " " + moment + " " + event + " ON " + table + " FOR EACH " + each
                + " EXECUTE PROCEDURE " + noted + "()");
        switch (random.nextInt(6)) {
            case 0 -> statements.add("ALTER TABLE " + table + " DISABLE TRIGGER " + trigger);
            case 1 -> statements.add("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER " + trigger);
            case 2 -> statements.add("ALTER TABLE " + table + " ENABLE REPLICA TRIGGER " + trigger);
            default -> {}
        }
    }

    private void view() {
        String view = name();
        statements.add("CREATE VIEW " + view + (random.nextBoolean() ? " WITH (security_barrier)" : "")
                + " AS SELECT * FROM " + table());
        statements.add("CREATE VIEW " + name() + " AS SELECT count(*) AS \"How many\" FROM " + view);
    }

    private void materialized() {
        String view = name();
        statements.add("CREATE MATERIALIZED VIEW " + view + " AS SELECT count(*) AS n, 'it''s' AS name FROM " + table()
                + (random.nextInt(4) == 0 ? " WITH NO DATA" : ""));
        statements.add("CREATE UNIQUE INDEX ON " + view + " (n)");
    }

    private void rule() {
        String view = name();
        statements.add("CREATE VIEW " + view + " AS SELECT 1 AS one FROM " + table());
        statements.add("CREATE RULE " + Identifiers.quote(names.next()) + " AS ON INSERT TO " + view
                + " DO INSTEAD INSERT INTO " + audit + " (what) VALUES ('by rule')");
    }

    private void policy() {
        String table = table();
        statements.add(
                "CREATE POLICY " + Identifiers.quote(names.next()) + " ON " + table + " FOR SELECT USING (true)");
        if (random.nextBoolean()) {
            statements.add("ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY");
        }
    }

    private void comment() {
        String text = Identifiers.literal("it's \\ a \"comment\"; -- \n" + names.next());
        RandomTable table = tables.get(random.nextInt(tables.size()));
        statements.add("COMMENT ON TABLE " + table.name() + " IS " + text);
        if (!table.columns().isEmpty()) {
            String column = table.columns().get(0).quoted();
            statements.add("COMMENT ON COLUMN " + table.name() + "." + column + " IS " + text);
        }
    }

    private void sequence() {
        String sequence = name();
        String kind = List.of(
                        "", " INCREMENT -3 MINVALUE -1000 MAXVALUE 1000 CYCLE", " AS smallint START 32000", " CACHE 20")
                .get(random.nextInt(4));
        statements.add("CREATE SEQUENCE " + sequence + kind);
        for (int i = random.nextInt(3); i > 0; i--) {
            statements.add("SELECT nextval(" + Identifiers.literal(sequence) + ")");
        }
    }

    private void grant() {
        statements.add("GRANT SELECT, REFERENCES ON " + table() + " TO PUBLIC");
        statements.add("ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema() + " GRANT SELECT ON TABLES TO PUBLIC");
        statements.add("REVOKE ALL ON FUNCTION " + noted + "() FROM PUBLIC");
    }

    private void statistics() {
        for (RandomTable table : tables) {
            if (table.key().size() > 1) {
                statements.add("CREATE STATISTICS " + name() + " ON "
                        + table.key().get(0).quoted() + ", "
                        + table.key().get(1).quoted() + " FROM " + table.name());
            }
        }
    }

    private void routine() {
        statements.add(
                "CREATE FUNCTION " + name() + "(a int DEFAULT 1, VARIADIC b text[] DEFAULT '{\"x y\"}') RETURNS SETOF "
                        + table() + " LANGUAGE plpgsql STABLE SET search_path = '' AS $f$ BEGIN RETURN; END $f$");
        statements.add("CREATE PROCEDURE " + name() + "(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := a + 1; END'");
    }

    private void aggregate() {
        statements.add("CREATE AGGREGATE " + name() + "(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')");
    }

    private void operator() {
        statements.add("CREATE OPERATOR " + schema() + ".<~~> (PROCEDURE = int4eq, LEFTARG = int, RIGHTARG = int)");
    }

    private void domain() {
        statements.add("CREATE DOMAIN " + name() + " AS text COLLATE \"C\" DEFAULT 'it''s' CHECK (VALUE <> '%')");
    }

    private void collation() {
        statements.add("CREATE COLLATION " + name() + " FROM \"C\"");
    }

    private void searchConfiguration() {
        statements.add("CREATE TEXT SEARCH CONFIGURATION " + name() + " (COPY = pg_catalog.simple)");
    }

    private void foreignTable() {
        String wrapper = Identifiers.quote(names.next());
        String server = Identifiers.quote(names.next());
        statements.add("CREATE FOREIGN DATA WRAPPER " + wrapper);
        statements.add("CREATE SERVER " + server + " FOREIGN DATA WRAPPER " + wrapper + " OPTIONS (host 'it''s')");
        statements.add("CREATE FOREIGN TABLE " + name() + " (a int) SERVER " + server);
    }

    private String table() {
        return tables.get(random.nextInt(tables.size())).name();
    }

    private String schema() {
        return schemas.get(random.nextInt(schemas.size()));
    }

    private String name() {
        return schema() + "." + Identifiers.quote(names.next());
    }
}
