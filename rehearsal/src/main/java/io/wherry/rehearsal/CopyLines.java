package io.wherry.rehearsal;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The lines of a COPY in text format; a giant line is kept as its digest, because the tables of both sides are in memory
 * together.
 */
public final class CopyLines extends OutputStream {
    private static final int GIANT_BYTES = 1 << 20;
    private static final int SHOWN_CHARACTERS = 2_000;

    private final List<String> lines = new ArrayList<>();
    private ByteArrayOutputStream line = new ByteArrayOutputStream();

    @Override
    public void write(int b) {
        if (b == '\n') {
            end();
        } else {
            line.write(b);
        }
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        int from = offset;
        for (int i = offset; i < offset + length; i++) {
            if (bytes[i] == '\n') {
                line.write(bytes, from, i - from);
                end();
                from = i + 1;
            }
        }
        line.write(bytes, from, offset + length - from);
    }

    private void end() {
        if (line.size() < GIANT_BYTES) {
            lines.add(line.toString(StandardCharsets.UTF_8));
            line.reset();
            return;
        }
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(line.toByteArray());
            lines.add(line.size() + " bytes " + HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        line = new ByteArrayOutputStream();
    }

    /** The lines, sorted. */
    public List<String> sorted() {
        return lines.stream().sorted().toList();
    }

    /** Lines that one side has more often than the other; long lines are shortened. */
    static List<String> differences(List<String> source, List<String> target) {
        Map<String, Integer> counts = new TreeMap<>();
        source.forEach(line -> counts.merge(line, 1, Integer::sum));
        target.forEach(line -> counts.merge(line, -1, Integer::sum));
        counts.values().removeIf(count -> count == 0);
        return counts.entrySet().stream()
                .map(e -> (e.getValue() > 0 ? "source: " : "target: ")
                        + e.getKey().substring(0, Math.min(e.getKey().length(), SHOWN_CHARACTERS)))
                .toList();
    }
}
