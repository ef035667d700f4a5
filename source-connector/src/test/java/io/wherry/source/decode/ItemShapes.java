package io.wherry.source.decode;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What the source's catalog would say about the tables whose messages are decoded. */
final class ItemShapes {
    private static final TableId TABLE = new TableId("public", "item");
    private static final Map<Long, TypeName> TYPES = Map.of(
            23L, new TypeName("pg_catalog", "int4"),
            25L, new TypeName("pg_catalog", "text"),
            16L, new TypeName("pg_catalog", "bool"),
            20L, new TypeName("pg_catalog", "int8"),
            1700L, new TypeName("pg_catalog", "numeric"));

    private ItemShapes() {}

    static TableShape shape(RelationMessage relation) {
        List<String> identity = relation.replicaIdentity() == ReplicaIdentity.FULL
                ? List.of()
                : relation.columns().stream()
                        .filter(RelationMessage.RelationColumn::identity)
                        .map(RelationMessage.RelationColumn::name)
                        .toList();
        return new TableShape(
                relation.id(),
                relation.columns().stream()
                        .map(column -> new Column(column.name(), TYPES.get(column.typeOid())))
                        .toList(),
                identity);
    }

    record Generated(Set<String> names) implements Shapes {
        @Override
        public TableShape of(RelationMessage relation) {
            return shape(relation);
        }

        @Override
        public Set<String> generated(RelationMessage relation) {
            return names;
        }
    }

    /** The partitions of the test's table, which is carried whole. */
    record Parts(Set<Integer> all, boolean named) implements Shapes {
        @Override
        public TableShape of(RelationMessage relation) {
            return shape(relation);
        }

        @Override
        public Carrier carrier(RelationMessage relation) {
            return new Carrier(0, TABLE);
        }

        @Override
        public boolean namesRows(RelationMessage partition, TableShape shape) {
            return named;
        }

        @Override
        public boolean isAll(TableId whole, Set<Integer> truncated) {
            return truncated.equals(all);
        }
    }
}
