package io.wherry.contract.record;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.EarlierVersion;
import io.wherry.contract.postgres.Lsn;
import java.io.IOException;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** The only JSON mapper: LSNs as {@code "X/Y"}; unknown properties are ignored, so that a newer peer can add some. */
public final class Json {
    private static final ObjectMapper MAPPER = new ObjectMapper()
            .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false)
            .registerModule(new SimpleModule()
                    .addSerializer(Lsn.class, new LsnWriter())
                    .addDeserializer(Lsn.class, new LsnReader()));

    private Json() {}

    public static ObjectMapper mapper() {
        return MAPPER;
    }

    /** @throws IllegalArgumentException when the value cannot be written; a defect, since all types are Wherry's */
    public static byte[] write(Object value) {
        try {
            return MAPPER.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("cannot write " + value, e);
        }
    }

    /** @throws DataException when the bytes are not such a value */
    public static <T> T read(byte[] bytes, Class<T> type) {
        return read(bytes, type, type.getSimpleName());
    }

    /** @throws DataException when the record does not hold such a value: another program writes to one of Wherry's topics */
    public static <T> T read(ConsumerRecord<byte[], byte[]> record, Class<T> type) {
        return read(
                record.value(),
                type,
                record.topic() + "-" + record.partition() + " offset " + record.offset() + " (" + type.getSimpleName()
                        + ")");
    }

    private static <T> T read(byte[] bytes, Class<T> type, String object) {
        try {
            T value = bytes == null ? null : MAPPER.readValue(bytes, type);
            if (value != null) {
                return value;
            }
            throw foreign(object, "the record is empty", null);
        } catch (IOException e) {
            if (e.getCause() instanceof DataException) {
                throw EarlierVersion.wrote(object);
            }
            throw foreign(object, e.getMessage(), e);
        }
    }

    private static DataException foreign(String object, String problem, IOException cause) {
        return new DataException(
                "read",
                object,
                "not one of Wherry's records: " + problem,
                "Check who else writes to this migration's topics; they must belong to the migration alone",
                cause);
    }

    private static final class LsnWriter extends StdSerializer<Lsn> {
        LsnWriter() {
            super(Lsn.class);
        }

        @Override
        public void serialize(Lsn lsn, JsonGenerator out, SerializerProvider provider) throws IOException {
            out.writeString(lsn.toString());
        }
    }

    private static final class LsnReader extends StdDeserializer<Lsn> {
        LsnReader() {
            super(Lsn.class);
        }

        @Override
        public Lsn deserialize(JsonParser in, DeserializationContext context) throws IOException {
            return Lsn.parse(in.getText());
        }
    }
}
