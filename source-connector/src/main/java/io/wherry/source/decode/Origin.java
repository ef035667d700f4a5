package io.wherry.source.decode;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.ChangeSchemas;

/**
 * The content of {@code source} that is the same in every record of one stream.
 *
 * @param version of Debezium
 * @param name of the migration, as Debezium's topic prefix
 * @param database on the source
 * @param generation of the changes
 */
public record Origin(String version, String name, String database, int generation) {
    private static final String CONNECTOR = "postgresql";
    /** The rows of the load are not records of the stream. */
    private static final String SNAPSHOT = "false";

    /** Writes the fields that are the same in all records of a table. */
    byte[] encode(TableId table) {
        AvroWriter out = new AvroWriter();
        out.beginBare();
        // sequence and xmin.
        out.number(ChangeSchemas.NULL);
        out.number(ChangeSchemas.NULL);
        out.number(generation);
        out.text(version);
        out.text(CONNECTOR);
        out.text(name);
        out.text(SNAPSHOT);
        out.text(database);
        out.text(table.schema());
        out.text(table.table());
        return out.finish();
    }
}
