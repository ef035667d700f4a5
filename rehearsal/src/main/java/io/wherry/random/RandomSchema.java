package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** A database's schemas, types and tables, built from a seed. */
public final class RandomSchema {
    private final long seed;
    private final int version;
    private final List<String> schemas;
    private final List<String> statements = new ArrayList<>();
    private final RandomTypes types;
    private final RandomTables tables;
    private final RandomObjects objects;
    private final List<RandomTable> pair;

    /**
     * @param seed the same seed and version give the same schema
     * @param version major version of the server
     */
    public RandomSchema(long seed, int version) {
        this.seed = seed;
        this.version = version;
        SplittableRandom random = new SplittableRandom(seed);
        RandomNames names = new RandomNames(random);
        schemas = List.of(Identifiers.quote(names.next()), Identifiers.quote(names.next()));
        schemas.forEach(schema -> statements.add("CREATE SCHEMA " + schema));
        types = new RandomTypes(version, schemas.get(0), random);
        statements.addAll(types.statements());
        tables = new RandomTables(version, schemas, names, types, random);
        tables.create(random.nextInt(5, 9));
        objects = new RandomObjects(schemas, tables.tables(), names, random);
        pair = new ArrayList<>(tables.pair());
        statements.addAll(tables.statements());
    }

    public long seed() {
        return seed;
    }

    /** Major version of the server that the schema is for. */
    public int version() {
        return version;
    }

    /** DDL in order. */
    public List<String> statements() {
        return List.copyOf(statements);
    }

    /**
     * Objects around the tables, to be created after {@link #statements}: views, triggers that write rows, sequences, rights and
     * more. A server refuses those that its version does not know.
     */
    public List<String> objects() {
        return List.copyOf(objects.statements());
    }

    /** DDL of tables of one more shape; from now on the history also writes to them. */
    List<String> another() {
        int known = tables.statements().size();
        tables.create(1);
        return List.copyOf(
                tables.statements().subList(known, tables.statements().size()));
    }

    /** Statements that let a role write everything. */
    public List<String> grants(String role) {
        List<String> grants = new ArrayList<>();
        for (String schema : schemas) {
            grants.add("GRANT USAGE ON SCHEMA " + schema + " TO " + Identifiers.quote(role));
            grants.add("GRANT ALL ON ALL TABLES IN SCHEMA " + schema + " TO " + Identifiers.quote(role));
            grants.add("GRANT ALL ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + Identifiers.quote(role));
        }
        return grants;
    }

    /** The quoted name of one of the schemas. */
    String anySchema(RandomGenerator random) {
        return schemas.get(random.nextInt(schemas.size()));
    }

    /** Quoted names of the tables whose names and columns {@link RandomHistory#rename} changes. */
    public List<String> renamed() {
        return pair.stream().map(RandomTable::name).toList();
    }

    /** Two tables that nothing else refers to, which renames may exchange. */
    List<RandomTable> pair() {
        return List.copyOf(pair);
    }

    /** From now on, statements are generated for these tables. */
    void pair(RandomTable first, RandomTable second) {
        tables.tables().removeAll(pair);
        pair.clear();
        pair.addAll(List.of(first, second));
        tables.tables().addAll(pair);
    }

    List<String> orphaning() {
        return tables.orphaning();
    }

    RandomTypes types() {
        return types;
    }

    List<RandomTable> tables() {
        return tables.tables();
    }
}
