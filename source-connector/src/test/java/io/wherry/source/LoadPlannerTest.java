package io.wherry.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.Catalog;
import io.wherry.contract.Catalog.CatalogColumn;
import io.wherry.contract.TableId;
import io.wherry.contract.TableShape.TypeName;
import java.util.List;
import org.junit.jupiter.api.Test;

final class LoadPlannerTest {
    private static final long MIB = 1 << 20;

    @Test
    void aSmallTableIsOneChunk() {
        assertThat(LoadPlanner.chunkCount(8 * MIB, 48 * MIB, 4, 1024)).isEqualTo(1);
    }

    @Test
    void aMiddlingTableHasAChunkForEachReader() {
        assertThat(LoadPlanner.chunkCount(9 * MIB, 48 * MIB, 4, 1024)).isEqualTo(4);
    }

    @Test
    void aLargeTableIsCutBySize() {
        assertThat(LoadPlanner.chunkCount(4801 * MIB, 48 * MIB, 4, 1 << 20)).isEqualTo(101);
    }

    @Test
    void fewGiantValuesAreNotCutFinerThanRows() {
        assertThat(LoadPlanner.chunkCount(4000 * MIB, 48 * MIB, 4, 3)).isEqualTo(3);
        assertThat(LoadPlanner.chunkCount(4000 * MIB, 48 * MIB, 4, 0)).isEqualTo(1);
    }

    @Test
    void rangesMeetAndAreOpenAtBothEnds() {
        assertThat(LoadPlanner.tidRanges(10, 1, 3))
                .containsExactly(
                        "ctid < '(3,0)'::pg_catalog.tid",
                        "ctid >= '(3,0)'::pg_catalog.tid AND ctid < '(6,0)'::pg_catalog.tid",
                        "ctid >= '(6,0)'::pg_catalog.tid");
        assertThat(LoadPlanner.tidRanges(10, 1, 1)).containsExactly("");
    }

    @Test
    void onePageOfGiantValuesIsCutBetweenItsRows() {
        assertThat(LoadPlanner.tidRanges(1, 40, 2))
                .containsExactly("ctid < '(0,20)'::pg_catalog.tid", "ctid >= '(0,20)'::pg_catalog.tid");
    }

    @Test
    void keyRangesQuoteValuesAndNames() {
        CatalogColumn key = column("O'Key", "pg_catalog", "text", 'b', 0);
        assertThat(LoadPlanner.keyRanges(key, List.of("a'\\b")))
                .containsExactly(
                        "\"O'Key\" < E'a''\\\\b'::\"pg_catalog\".\"text\"",
                        "\"O'Key\" >= E'a''\\\\b'::\"pg_catalog\".\"text\"");
    }

    @Test
    void onlyBuiltInTypesWithoutNumbersOfThisDatabaseTravelInBinary() {
        assertThat(BinaryTypes.stable(column("c", "pg_catalog", "int4", 'b', 0)))
                .isTrue();
        assertThat(BinaryTypes.stable(column("c", "pg_catalog", "_numeric", 'b', 1700)))
                .isTrue();
        assertThat(BinaryTypes.stable(column("c", "pg_catalog", "money", 'b', 0)))
                .isFalse();
        assertThat(BinaryTypes.stable(column("c", "pg_catalog", "_regclass", 'b', 2205)))
                .isFalse();
        assertThat(BinaryTypes.stable(column("c", "pg_catalog", "int4range", 'r', 0)))
                .isFalse();
        assertThat(BinaryTypes.stable(column("c", "public", "text", 'e', 0))).isFalse();
        assertThat(BinaryTypes.stable(column("c", "public", "_int4", 'b', 16500)))
                .isFalse();
    }

    @Test
    void generatedColumnsAreNotReadAndChildTablesKeepTheirRows() {
        CatalogColumn generated =
                new CatalogColumn("sum", new TypeName("pg_catalog", "int4"), 'b', 23, 0, false, false, "", true);
        Catalog.Table table = new Catalog.Table(
                1,
                new TableId("a b", "T"),
                'd',
                false,
                List.of(column("x", "pg_catalog", "int4", 'b', 0), generated, column("y", "s", "mood", 'e', 0)),
                List.of("x"),
                List.of("x"),
                0,
                0,
                0);
        assertThat(new Chunk(table, 0, "", "").copy())
                .isEqualTo("COPY (SELECT \"x\", \"y\" FROM ONLY \"a b\".\"T\") TO STDOUT (FORMAT text)");
    }

    private static CatalogColumn column(String name, String schema, String type, char kind, long element) {
        return new CatalogColumn(name, new TypeName(schema, type), kind, 1, element, false, false, "", false);
    }
}
