package io.wherry.contract.http;

import io.wherry.contract.error.Masking;
import io.wherry.contract.record.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The answer to one request. */
public record Reply(int status, String type, byte[] body) {
    private static final String METRICS = "text/plain; version=0.0.4; charset=utf-8";

    public static Reply json(int status, Object value) {
        return new Reply(status, "application/json", Json.write(value));
    }

    public static Reply text(int status, String text) {
        return new Reply(status, "text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
    }

    /** Meters in Prometheus' text format. */
    public static Reply metrics(String text) {
        return new Reply(200, METRICS, text.getBytes(StandardCharsets.UTF_8));
    }

    /** The same answer, without secrets and values of rows. Meters hold names and numbers; masking would cut a long text. */
    public Reply masked() {
        if (type.equals(METRICS)) {
            return this;
        }
        if (!type.equals("application/json")) {
            return text(status, Masking.mask(new String(body, StandardCharsets.UTF_8)));
        }
        try {
            return json(status, Masking.mask(Json.mapper().readTree(body)));
        } catch (IOException e) {
            throw new IllegalStateException("Wherry's own JSON cannot be read", e);
        }
    }

    public static Reply error(int status, String error, String remedy) {
        return json(status, Map.of("error", error, "remedy", remedy));
    }
}
