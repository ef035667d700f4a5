package io.wherry.rehearsal.servers;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Behaves like PgBouncer in front of a server when a session opens: it refuses the start-up parameter {@code options}, or leaves
 * the parameter out if {@code ignore_startup_parameters} names it.
 */
public final class PoolerStandIn extends Wire {
    private final boolean ignoresOptions;

    public PoolerStandIn(int serverPort, boolean ignoresOptions) {
        super(serverPort);
        this.ignoresOptions = ignoresOptions;
    }

    @Override
    protected byte[] startUp(byte[] parameters) {
        ByteArrayOutputStream kept = new ByteArrayOutputStream();
        boolean options = false;
        String[] fields = new String(parameters, StandardCharsets.UTF_8).split("\0");
        for (int i = 0; i + 1 < fields.length; i += 2) {
            options |= fields[i].equals("options");
            if (!fields[i].equals("options")) {
                kept.writeBytes((fields[i] + '\0' + fields[i + 1] + '\0').getBytes(StandardCharsets.UTF_8));
            }
        }
        kept.write(0);
        return options && !ignoresOptions ? null : kept.toByteArray();
    }

    @Override
    protected byte[] refusal() {
        byte[] answer =
                "SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0".getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(1 + Integer.BYTES + answer.length)
                .put((byte) 'E')
                .putInt(answer.length + Integer.BYTES)
                .put(answer)
                .array();
    }
}
