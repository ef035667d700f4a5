package io.wherry.contract.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.EarlierRows;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.util.List;
import org.apache.avro.Schema;
import org.junit.jupiter.api.Test;

class ChangeSchemasTest {
    private static final TableShape SHAPE = new TableShape(
            new TableId("My Schema", "Order.Items"),
            List.of(
                    new Column("id", new TypeName("pg_catalog", "int8")),
                    new Column("2nd \"name\"", new TypeName("pg_catalog", "text")),
                    new Column("_x0032nd", new TypeName("odd.schema", "My.Enum")),
                    new Column(
                            "ok",
                            new TypeName("pg_catalog", "bool"),
                            new ColumnDefinition("boolean", null, true, "(1 = 1)", EarlierRows.VALUE, "t"))),
            List.of("id"));

    @Test
    void shapeSurvivesTheRegistry() {
        Schema read = new Schema.Parser().parse(ChangeSchemas.value(SHAPE).toString());
        assertThat(ChangeSchemas.shape(read)).isEqualTo(SHAPE);
    }

    @Test
    void keyHoldsTheIdentityColumnsOnly() {
        assertThat(ChangeSchemas.key(SHAPE).getFields())
                .singleElement()
                .satisfies(field -> assertThat(field.schema().getType()).isEqualTo(Schema.Type.LONG));
        assertThat(ChangeSchemas.key(new TableShape(SHAPE.id(), SHAPE.columns(), List.of())))
                .isNull();
    }

    @Test
    void foreignSchemaIsRefused() {
        Schema foreign = Schema.createRecord("Envelope", null, "somebody.else", false, List.of());
        assertThatThrownBy(() -> ChangeSchemas.shape(foreign)).isInstanceOf(DataException.class);
    }
}
