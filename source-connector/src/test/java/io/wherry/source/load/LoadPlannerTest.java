package io.wherry.source.load;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.source.control.ChunkLayout;
import io.wherry.source.control.ColumnNumbers;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

final class LoadPlannerTest {
    private static final long MIB = 1 << 20;
    private static final ColumnNumbers NUMBERS = new ColumnNumbers(2, 0, Map.of("x", 1, "y", 2));

    @Test
    void aSmallTableIsOneChunk() {
        assertThat(LoadPlanner.chunkCount(8 * MIB, 48 * MIB, 4, 1024)).isEqualTo(1);
    }

    @Test
    void aTableOfMediumSizeHasAChunkForEachReader() {
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
        ChunkLayout cut = cut("ctid", "pg_catalog.tid", LoadPlanner.tidBounds(10, 1, 3), 7);
        assertThat(List.of(cut.condition(0), cut.condition(1), cut.condition(2)))
                .containsExactly(
                        "ctid < '(3,0)'::pg_catalog.tid",
                        "ctid >= '(3,0)'::pg_catalog.tid AND ctid < '(6,0)'::pg_catalog.tid",
                        "ctid >= '(6,0)'::pg_catalog.tid");
        assertThat(cut("ctid", "pg_catalog.tid", List.of(), 7).condition(0)).isEmpty();
    }

    @Test
    void onePageOfGiantValuesIsCutBetweenItsRows() {
        assertThat(LoadPlanner.tidBounds(1, 40, 2)).containsExactly("(0,20)");
    }

    @Test
    void keyRangesQuoteValues() {
        ChunkLayout cut = cut("\"O'Key\"", "\"pg_catalog\".\"text\"", List.of("a'\\b"), 7);
        assertThat(cut.condition(0)).isEqualTo("\"O'Key\" < E'a''\\\\b'::\"pg_catalog\".\"text\"");
        assertThat(cut.condition(1)).isEqualTo("\"O'Key\" >= E'a''\\\\b'::\"pg_catalog\".\"text\"");
    }

    @Test
    void changedRowsAreSelectedByRangesOfFinishedChunks() {
        ChunkLayout cut = cut("k", "int4", List.of("10", "20", "30", "40"), (3L << 32) + 5);
        String news = "pg_catalog.mod(xmin::pg_catalog.text::bigint - 5 + 4294967296, 4294967296) < 100";
        assertThat(cut.changed(new TreeSet<>(List.of(0, 1, 3)), (3L << 32) + 105))
                .isEqualTo("((k < '20'::int4) OR (k >= '30'::int4 AND k < '40'::int4)) AND " + news);
        assertThat(cut.changed(new TreeSet<>(List.of(4)), (3L << 32) + 105))
                .isEqualTo("((k >= '40'::int4)) AND " + news);
        assertThat(cut.changed(new TreeSet<>(List.of(0, 1, 2, 3, 4)), (3L << 32) + 105))
                .isEqualTo(news);
    }

    private static ChunkLayout cut(String by, String type, List<String> bounds, long firstTransaction) {
        return new ChunkLayout(
                new TableId("s", "t"),
                1,
                2,
                3,
                List.of(),
                "",
                List.of("k"),
                by,
                type,
                bounds,
                firstTransaction,
                NUMBERS,
                List.of());
    }

    @Test
    void chunksOfAWholeTableAreNumberedThroughItsPartitions() {
        CatalogTable table = table(List.of(column("x", "pg_catalog", "int4", 'b', 0)));
        ChunkLayout cut = whole(
                new ChunkLayout.Part(11, new TableId("s", "a"), "700", 11, List.of("(3,0)")),
                new ChunkLayout.Part(12, new TableId("s", "above"), "701", 0, null),
                new ChunkLayout.Part(13, new TableId("s", "b"), "702", 13, List.of()));
        assertThat(cut.size()).isEqualTo(3);
        assertThat(LoadPlanner.chunks(table, cut))
                .extracting(chunk -> chunk.number() + " " + chunk.oid() + " " + chunk.copy())
                .containsExactly(
                        "0 11 COPY (SELECT \"x\" FROM ONLY \"s\".\"a\" WHERE ctid < '(3,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)",
                        "1 11 COPY (SELECT \"x\" FROM ONLY \"s\".\"a\" WHERE ctid >= '(3,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)",
                        "2 13 COPY (SELECT \"x\" FROM ONLY \"s\".\"b\") TO STDOUT (FORMAT binary)");
        assertThat(whole().size()).isEqualTo(1);
        assertThat(LoadPlanner.chunks(table, whole()))
                .extracting(Chunk::copy)
                .containsExactly("COPY (SELECT \"x\" FROM ONLY \"a b\".\"T\") TO STDOUT (FORMAT binary)");
    }

    @Test
    void aLoadDoesNotContinueWithChunksOfAColumnThatWasDroppedAndAddedAgain() {
        CatalogTable table = table(List.of(column("x", "pg_catalog", "int4", 'b', 0)));
        ChunkLayout cut = new ChunkLayout(
                table.id(),
                1,
                table.oid(),
                3,
                ChunkLayout.columns(table),
                "",
                List.of("x"),
                "ctid",
                "pg_catalog.tid",
                List.of(),
                7,
                NUMBERS,
                List.of());
        assertThat(cut.fits(table, NUMBERS, 3, "", 8)).isTrue();
        assertThat(cut.fits(table, new ColumnNumbers(3, 2, Map.of("x", 1, "y", 3)), 3, "", 8))
                .isFalse();
    }

    private static ChunkLayout whole(ChunkLayout.Part... parts) {
        TableId id = new TableId("a b", "T");
        return new ChunkLayout(
                id, 1, 2, 0, List.of(), "", List.of(), "ctid", "pg_catalog.tid", List.of(), 7, NUMBERS, List.of(parts));
    }

    @Test
    void onlyBuiltInTypesWithoutOidsAreReadInBinary() {
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
        CatalogColumn generated = new CatalogColumn(
                "sum", new TypeName("pg_catalog", "int4"), 'b', 23, 0, false, false, "", true, "integer");
        CatalogTable table =
                table(List.of(column("x", "pg_catalog", "int4", 'b', 0), generated, column("y", "s", "mood", 'e', 0)));
        assertThat(new Chunk(table, NUMBERS, 0, "", "", List.of()).copy())
                .isEqualTo("COPY (SELECT \"x\", \"y\" FROM ONLY \"a b\".\"T\") TO STDOUT (FORMAT text)");
    }

    private static CatalogTable table(List<CatalogColumn> columns) {
        TableId id = new TableId("a b", "T");
        return new CatalogTable(
                1, id, id, false, ReplicaIdentity.DEFAULT, false, columns, List.of("x"), List.of("x"), 0, 0, 0);
    }

    private static CatalogColumn column(String name, String schema, String type, char kind, long element) {
        return new CatalogColumn(name, new TypeName(schema, type), kind, 1, element, false, false, "", false, type);
    }
}
