package io.wherry.source.control;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.source.control.Routes.Identity;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class RoutesTest {
    private static final TableId BLUE = new TableId("public", "blue");
    private static final TableId GREEN = new TableId("public", "green");
    private static final ColumnNumbers COLUMNS = new ColumnNumbers(2, 0, Map.of("id", 1, "c", 2));

    private final Routes routes = new Routes();

    @BeforeEach
    void bind() {
        routes.put(new Route(BLUE, "shop.public.blue", 1));
        routes.put(new Route(GREEN, "shop.public.green", 1));
        assertThat(routes.bind(Map.of(BLUE, identity(1), GREEN, identity(2)))).isEmpty();
    }

    @Test
    void tablesThatSwapNamesKeepTheirTopicsUntilBothAreReloaded() {
        assertThat(routes.of(1).id()).isEqualTo(BLUE);

        assertThat(routes.bind(Map.of(BLUE, identity(2), GREEN, identity(1)))).isEmpty();
        assertThat(routes.of(1).id()).isEqualTo(GREEN);
        assertThat(routes.of(2).id()).isEqualTo(BLUE);
    }

    @Test
    void aNameThatLosesItsTableToAnotherLosesItsLoadToo() {
        assertThat(routes.bind(Map.of(BLUE, identity(2)))).containsExactly(GREEN);
        assertThat(routes.of(1)).isNull();
        assertThat(routes.identity(GREEN)).isNull();
    }

    @Test
    void aTableWithOtherColumnsGetsNoChangesAndTheReasonIsReportedUntilAPlan() {
        routes.unbind(1, "column c differs");
        assertThat(routes.of(1)).isNull();
        assertThat(routes.replaced()).hasSize(1).allSatisfy(one -> assertThat(one.reason())
                .contains("column c"));
        routes.planned(List.of(BLUE));
        assertThat(routes.replaced()).isEmpty();
    }

    @Test
    void columnsAddedBetweenBindingAndSnapshotAreRecordedAndOtherColumnsAreRefused() {
        assertThat(routes.hold(BLUE, new Identity(1, new ColumnNumbers(3, 0, Map.of("id", 1, "c", 2, "d", 3)))))
                .isTrue();
        assertThat(routes.columns(1).numbers()).containsKey("d");
        assertThat(routes.hold(BLUE, identity(2))).isFalse();
        assertThat(routes.hold(BLUE, new Identity(1, new ColumnNumbers(4, 2, Map.of("id", 1, "c", 4)))))
                .isFalse();
    }

    @Test
    void aDroppedAndAddedOrSwappedColumnDiffersAndAnAddedColumnIsFollowed() {
        assertThat(COLUMNS.contradiction(new ColumnNumbers(3, 2, Map.of("id", 1, "c", 3))))
                .isPresent();
        assertThat(COLUMNS.contradiction(new ColumnNumbers(2, 0, Map.of("id", 2, "c", 1))))
                .isPresent();
        assertThat(COLUMNS.contradiction(new ColumnNumbers(3, 0, Map.of("id", 1, "c", 2, "d", 3))))
                .isEmpty();
        assertThat(COLUMNS.contradiction(new ColumnNumbers(3, 2, Map.of("id", 1, "d", 3))))
                .as("a renamed or dropped column stops the table by its name")
                .isEmpty();
        assertThat(COLUMNS.contradiction(new ColumnNumbers(4, 3, Map.of("id", 1, "c", 2, "d", 4))))
                .as("with two columns d it is unknown which one the stream means")
                .isPresent();
        assertThat(ColumnNumbers.NONE.contradiction(COLUMNS)).isEmpty();
    }

    private static Identity identity(long oid) {
        return new Identity(oid, COLUMNS);
    }
}
