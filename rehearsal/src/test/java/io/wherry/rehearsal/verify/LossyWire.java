package io.wherry.rehearsal.verify;

import io.wherry.rehearsal.servers.Wire;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;

/**
 * Leaves one transaction out of the stream of a replication slot: the change is lost between the slot and the topics, and nobody has
 * been told.
 */
final class LossyWire extends Wire {
    // PostgreSQL's documentation, "Streaming Replication Protocol" and "Logical Replication Message Formats".
    private static final int HEADER_OF_DATA = 1 + 8 + 8 + 8;
    private static final int XID_AFTER_BEGIN = HEADER_OF_DATA + 1 + 8 + 8;

    private volatile int lost;
    private volatile boolean done;

    LossyWire(int serverPort) {
        super(serverPort);
    }

    /** This transaction will not arrive. Called before it commits. */
    void lose(long transaction) {
        lost = (int) transaction;
    }

    /** Whether the transaction was left out. */
    boolean hasLost() {
        return done;
    }

    @Override
    protected void answers(Socket server, Socket client) throws IOException {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(server.getInputStream(), 1 << 16));
                DataOutputStream out =
                        new DataOutputStream(new BufferedOutputStream(client.getOutputStream(), 1 << 16))) {
            boolean leavingOut = false;
            while (true) {
                byte type = in.readByte();
                byte[] body = in.readNBytes(in.readInt() - Integer.BYTES);
                byte logical = logical(type, body);
                leavingOut |= logical == 'B'
                        && lost != 0
                        && !done
                        && ByteBuffer.wrap(body).getInt(XID_AFTER_BEGIN) == lost;
                if (!leavingOut || logical == 0) {
                    out.writeByte(type);
                    out.writeInt(body.length + Integer.BYTES);
                    out.write(body);
                } else if (logical == 'C') {
                    leavingOut = false;
                    done = true;
                }
                if (in.available() == 0) {
                    out.flush();
                }
            }
        }
    }

    /** The kind of a message of logical decoding; 0 = another message. */
    private static byte logical(byte type, byte[] body) {
        return type == 'd' && body.length > HEADER_OF_DATA && body[0] == 'w' ? body[HEADER_OF_DATA] : 0;
    }
}
