package io.wherry.contract.kafka;

import java.util.OptionalInt;
import org.apache.avro.Schema;

/** The calls Wherry needs of a Confluent-compatible schema registry. Safe for use by several threads. */
public interface SchemaRegistry {
    /**
     * Registers a schema, or finds it registered.
     *
     * @return its id
     * @throws RetryableException when the registry does not answer
     */
    int register(String subject, Schema schema);

    /**
     * The schema with this id.
     *
     * @throws RetryableException when the registry does not answer
     * @throws DataException when the registry has no such schema
     */
    Schema byId(int id);

    /**
     * Id of the schema that was registered last under the subject; empty when the subject has none.
     *
     * @throws RetryableException when the registry does not answer
     */
    OptionalInt latest(String subject);
}
