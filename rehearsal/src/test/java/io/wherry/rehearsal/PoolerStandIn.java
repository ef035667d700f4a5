package io.wherry.rehearsal;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * Stands before a server as PgBouncer does when a session opens: it refuses the start-up parameter {@code options}, or leaves it out where
 * {@code ignore_startup_parameters} says so.
 */
public final class PoolerStandIn implements AutoCloseable {
    private static final int SSL_REQUEST = 80877103;
    private static final int GSS_REQUEST = 80877104;

    private final ServerSocket listener;
    private final int serverPort;
    private final boolean ignoresOptions;

    public PoolerStandIn(int serverPort, boolean ignoresOptions) {
        this.serverPort = serverPort;
        this.ignoresOptions = ignoresOptions;
        try {
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        daemon(this::accept);
    }

    public int port() {
        return listener.getLocalPort();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                daemon(() -> serve(client));
            }
        } catch (IOException e) {
            // It was closed.
        }
    }

    private void serve(Socket client) {
        try (client;
                Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort)) {
            DataInputStream in = new DataInputStream(client.getInputStream());
            DataOutputStream out = new DataOutputStream(client.getOutputStream());
            int length = in.readInt();
            int code = in.readInt();
            while (code == SSL_REQUEST || code == GSS_REQUEST) {
                out.writeByte('N');
                length = in.readInt();
                code = in.readInt();
            }
            ByteArrayOutputStream kept = new ByteArrayOutputStream();
            boolean options = false;
            String[] fields = new String(in.readNBytes(length - 8), StandardCharsets.UTF_8).split("\0");
            for (int i = 0; i + 1 < fields.length; i += 2) {
                options |= fields[i].equals("options");
                if (!fields[i].equals("options")) {
                    kept.writeBytes((fields[i] + '\0' + fields[i + 1] + '\0').getBytes(StandardCharsets.UTF_8));
                }
            }
            kept.write(0);
            if (options && !ignoresOptions) {
                byte[] answer = "SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
                        .getBytes(StandardCharsets.UTF_8);
                out.writeByte('E');
                out.writeInt(answer.length + 4);
                out.write(answer);
                return;
            }
            DataOutputStream toServer = new DataOutputStream(server.getOutputStream());
            toServer.writeInt(kept.size() + 8);
            toServer.writeInt(code);
            toServer.write(kept.toByteArray());
            daemon(() -> pump(server, client));
            in.transferTo(toServer);
        } catch (IOException e) {
            // Either side has ended.
        }
    }

    private static void pump(Socket from, Socket to) {
        try {
            from.getInputStream().transferTo(to.getOutputStream());
            to.shutdownOutput();
        } catch (IOException e) {
            // Either side has ended.
        }
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "pooler");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }
}
