package io.wherry.cli.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import com.fasterxml.jackson.core.JsonGenerator;
import io.wherry.contract.error.Masking;
import io.wherry.contract.name.TableId;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import net.logstash.logback.composite.AbstractJsonProvider;

/**
 * Wherry's fields of a JSON line: {@code service}, {@code migration}, {@code table}, {@code message} and {@code stack}. Without
 * secrets and values of rows, as in a line of text.
 */
public final class LogFields extends AbstractJsonProvider<ILoggingEvent> {
    /** Which service logs, by the beginning of the logger's or of the thread's name. */
    private static final Map<String, String> SERVICES = Map.of(
            "io.wherry.source.", "source-connector",
            "io.debezium.", "source-connector",
            "wherry-source", "source-connector",
            "io.wherry.sink.", "sink-applier",
            "wherry-sink", "sink-applier",
            "io.wherry.coordinator.", "cutover-coordinator",
            "wherry-coordinator", "cutover-coordinator");

    @Override
    public void writeTo(JsonGenerator line, ILoggingEvent event) throws IOException {
        line.writeStringField("service", service(event));
        writeIfKnown(line, "migration", LogFormat.migration());
        writeIfKnown(line, "table", table(event));
        line.writeStringField("message", Masking.mask(event.getFormattedMessage()));
        writeIfKnown(
                line,
                "stack",
                Optional.ofNullable(event.getThrowableProxy())
                        .map(failure -> Masking.mask(ThrowableProxyUtil.asString(failure))));
    }

    private static void writeIfKnown(JsonGenerator line, String field, Optional<String> value) throws IOException {
        if (value.isPresent()) {
            line.writeStringField(field, value.get());
        }
    }

    private static String service(ILoggingEvent event) {
        return SERVICES.entrySet().stream()
                .filter(entry -> event.getLoggerName().startsWith(entry.getKey())
                        || event.getThreadName().startsWith(entry.getKey()))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElseGet(LogFormat::service);
    }

    /** The first table among the arguments: the message names the table there. */
    private static Optional<String> table(ILoggingEvent event) {
        return Optional.ofNullable(event.getArgumentArray()).stream()
                .flatMap(Stream::of)
                .filter(TableId.class::isInstance)
                .map(Object::toString)
                .findFirst();
    }
}
