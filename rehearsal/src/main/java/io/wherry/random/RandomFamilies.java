package io.wherry.random;

import static io.wherry.random.RandomColumns.primaryKey;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Tables that belong together: with partitions, with children, or with a foreign key between them. */
final class RandomFamilies {
    private final int version;
    private final CreatedTables created;
    private final RandomColumns any;
    private final RandomGenerator random;
    private final List<String> orphaning = new ArrayList<>();

    /** @param version major version of the server */
    RandomFamilies(int version, CreatedTables created, RandomColumns any, RandomGenerator random) {
        this.version = version;
        this.created = created;
        this.any = any;
        this.random = random;
    }

    /** For each foreign key: leaves a row that refers to nothing, as a session does that deletes with triggers off. */
    List<String> orphaning() {
        return orphaning;
    }

    void partitioned() {
        RandomColumn at = any.pooled(RandomTypes.DATE, 30, false);
        RandomColumn kind = any.pooled(RandomTypes.TEXT, 6, false);
        RandomColumn id = any.pooled(RandomTypes.INTEGER, 40, false);
        List<RandomColumn> columns = any.data(1, 3);
        columns.addAll(List.of(at, kind, id));
        // Before 11 a partitioned table has no key and no default partition.
        boolean keyed = version >= 11 && random.nextInt(3) != 0;
        List<RandomColumn> key = keyed ? List.of(id, kind, at) : List.of();
        String by =
                switch (random.nextInt(version >= 11 ? 3 : 2)) {
                    case 0 -> "RANGE (" + at.quoted();
                    case 1 -> "LIST (" + kind.quoted();
                    default -> "HASH (" + id.quoted();
                };
        String name =
                created.create(columns, keyed ? List.of(primaryKey(key)) : List.of(), " PARTITION BY " + by + ")");
        List<String> parts = new ArrayList<>();
        if (by.startsWith("RANGE")) {
            parts.add(partition(name, "FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')"));
            String nested = partition(
                    name, "FOR VALUES FROM ('2001-01-01') TO ('2002-01-01') PARTITION BY LIST (" + kind.quoted() + ")");
            parts.add(partition(nested, "FOR VALUES IN ('k0', 'k1', 'k2')"));
            parts.add(partition(nested, version >= 11 ? "DEFAULT" : "FOR VALUES IN ('k3', 'k4')"));
        } else if (by.startsWith("LIST")) {
            parts.add(partition(name, "FOR VALUES IN ('k0', 'k1')"));
            parts.add(partition(name, "FOR VALUES IN ('k2', 'k3', '')"));
        } else {
            parts.add(partition(name, "FOR VALUES WITH (MODULUS 3, REMAINDER 0)"));
            parts.add(partition(name, "FOR VALUES WITH (MODULUS 3, REMAINDER 1)"));
            parts.add(partition(name, "FOR VALUES WITH (MODULUS 3, REMAINDER 2)"));
        }
        if (version >= 11 && !by.startsWith("HASH")) {
            parts.add(partition(name, "DEFAULT"));
        }
        created.add(new RandomTable(name, columns, key, List.of(), parts));
    }

    private String partition(String parent, String bounds) {
        String name = created.name();
        created.run("CREATE TABLE " + name + " PARTITION OF " + parent + " " + bounds);
        return name;
    }

    void inherited() {
        RandomColumn id = any.pooled(RandomTypes.INTEGER, 30, false);
        List<RandomColumn> columns = any.data(0, 2);
        columns.add(id);
        String parent = created.create(columns, List.of(primaryKey(List.of(id))));
        created.add(parent, columns, List.of(id));
        for (int generation = random.nextInt(1, 3); generation > 0; generation--) {
            boolean keyed = random.nextBoolean();
            List<RandomColumn> own = any.data(0, 2);
            String child = created.create(
                    own, keyed ? List.of(primaryKey(List.of(id))) : List.of(), " INHERITS (" + parent + ")");
            columns = new ArrayList<>(columns);
            columns.addAll(own);
            created.add(child, columns, keyed ? List.of(id) : List.of());
            parent = child;
        }
    }

    void referring() {
        RandomColumn id = any.pooled(RandomTypes.INTEGER, 25, false);
        List<RandomColumn> columns = any.data(0, 2);
        columns.add(id);
        String name = created.create(columns, List.of(primaryKey(List.of(id))));
        created.add(name, columns, List.of(id));
        RandomColumn own = any.pooled(RandomTypes.INTEGER, 40, false);
        RandomColumn to = any.pooled(RandomTypes.INTEGER, 25, true);
        List<RandomColumn> referring = any.data(0, 2);
        referring.addAll(List.of(own, to));
        String child = created.create(referring, List.of(primaryKey(List.of(own))));
        String action =
                switch (random.nextInt(4)) {
                    case 0 -> " ON DELETE CASCADE";
                    case 1 -> " ON DELETE SET NULL ON UPDATE CASCADE";
                    case 2 -> " DEFERRABLE INITIALLY DEFERRED";
                    default -> "";
                };
        created.run("ALTER TABLE " + child + " ADD FOREIGN KEY (" + to.quoted() + ") REFERENCES " + name + action);
        created.add(child, referring, List.of(own));
        orphaning.add(
                "DO $wherry$ BEGIN PERFORM set_config('session_replication_role', 'replica', true); DELETE FROM " + name
                        + " WHERE " + id.quoted() + " = (SELECT min(" + to.quoted() + ") FROM " + child
                        + "); PERFORM set_config('session_replication_role', 'origin', true); END $wherry$");
    }
}
