package io.wherry.coordinator.row;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class RowHashTest {
    @Test
    void floatsAreBinaryAndLargeValuesAreDigested() {
        List<CatalogColumn> columns = List.of(
                column("a", "pg_catalog", "float8", 701),
                column("b", "pg_catalog", "_float4", 1021),
                column("c", "public", "ratio", 16_400),
                column("d", "pg_catalog", "bpchar", 1042),
                column("e", "pg_catalog", "jsonb", 3802),
                column("f \"g\"", "pg_catalog", "text", 25));
        assertThat(RowHash.row(columns, new RowTypes(Map.of(16_400L, "float8"), Map.of())))
                .isEqualTo("ROW(encode(float8send(\"a\"), 'hex'), encode(array_send(\"b\"), 'hex'),"
                        + " encode(float8send(\"c\"), 'hex'), \"d\", md5(\"e\"::text),"
                        + " CASE WHEN octet_length(\"f \"\"g\"\"\") > 1000000 THEN md5(\"f \"\"g\"\"\") ELSE \"f \"\"g\"\"\" END"
                        + ")::pg_catalog.text");
    }

    private static CatalogColumn column(String name, String schema, String type, long oid) {
        return new CatalogColumn(name, new TypeName(schema, type), 'b', oid, 0, true, false, "", false, type);
    }
}
