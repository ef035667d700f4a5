package io.wherry.rehearsal.verify;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;

/**
 * Stands between a service and its server, and leaves one transaction out of the stream of a replication slot: the change is lost
 * between the slot and the topics, and nobody has been told.
 */
final class LossyWire implements AutoCloseable {
    // PostgreSQL's documentation, "Message Formats", "Streaming Replication Protocol" and "Logical Replication Message
    // Formats".
    private static final int SSL_REQUEST = 80877103;
    private static final int GSS_REQUEST = 80877104;
    private static final int HEADER_OF_DATA = 1 + 8 + 8 + 8;
    private static final int XID_AFTER_BEGIN = HEADER_OF_DATA + 1 + 8 + 8;

    private final ServerSocket listener;
    private final int serverPort;
    private volatile int lost;
    private volatile boolean done;

    LossyWire(int serverPort) {
        this.serverPort = serverPort;
        try {
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        daemon(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** This transaction will not arrive. Called before it commits. */
    void lose(long transaction) {
        lost = (int) transaction;
    }

    /** Whether the transaction was left out. */
    boolean hasLost() {
        return done;
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                daemon(() -> serve(client));
            }
        } catch (IOException e) {
            // The wire was closed.
        }
    }

    private void serve(Socket client) {
        try (client;
                Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort)) {
            DataInputStream in = new DataInputStream(client.getInputStream());
            int length = in.readInt();
            int code = in.readInt();
            while (code == SSL_REQUEST || code == GSS_REQUEST) {
                client.getOutputStream().write('N');
                length = in.readInt();
                code = in.readInt();
            }
            DataOutputStream out = new DataOutputStream(server.getOutputStream());
            out.writeInt(length);
            out.writeInt(code);
            daemon(() -> answers(server, client));
            in.transferTo(out);
        } catch (IOException e) {
            // Either side has ended.
        }
    }

    private void answers(Socket server, Socket client) {
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
        } catch (IOException e) {
            // Either side has ended.
        }
    }

    /** The kind of a message of logical decoding; 0 = another message. */
    private static byte logical(byte type, byte[] body) {
        return type == 'd' && body.length > HEADER_OF_DATA && body[0] == 'w' ? body[HEADER_OF_DATA] : 0;
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "lossy-wire");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }
}
