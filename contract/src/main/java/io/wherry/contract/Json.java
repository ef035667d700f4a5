package io.wherry.contract;

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
import java.io.IOException;

/** The one JSON mapper: LSNs as {@code "X/Y"}, unknown properties passed over so that a newer peer can add some. */
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

    /** @throws IllegalArgumentException when the value cannot be written; a defect, since all types are ours */
    public static byte[] write(Object value) {
        try {
            return MAPPER.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("cannot write " + value, e);
        }
    }

    /** @throws DataException when the bytes are not such a value: a foreign record in one of our topics */
    public static <T> T read(byte[] bytes, Class<T> type) {
        try {
            return MAPPER.readValue(bytes, type);
        } catch (IOException e) {
            throw new DataException(
                    "read",
                    type.getSimpleName(),
                    "not a record of Wherry's: " + e.getMessage(),
                    "Look who else writes to this migration's topics; they must belong to it alone",
                    e);
        }
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
