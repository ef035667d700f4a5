package io.wherry.rehearsal.servers;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Stands between clients and a PostgreSQL server, without encryption. What passes is for the subclass. */
public abstract class Wire implements AutoCloseable {
    // PostgreSQL's documentation, "Message Formats".
    private static final int SSL_REQUEST = 80877103;
    private static final int GSS_REQUEST = 80877104;

    private final ServerSocket listener;
    private final int serverPort;

    /** @param serverPort on this machine */
    protected Wire(int serverPort) {
        this.serverPort = serverPort;
        try {
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        daemon(this::accept);
    }

    /** Where clients find the server, on this machine. */
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
            byte[] parameters = startUp(in.readNBytes(length - 2 * Integer.BYTES));
            if (parameters == null) {
                client.getOutputStream().write(refusal());
                return;
            }
            DataOutputStream out = new DataOutputStream(server.getOutputStream());
            out.writeInt(parameters.length + 2 * Integer.BYTES);
            out.writeInt(code);
            out.write(parameters);
            daemon(() -> answersOf(server, client));
            questions(in, out);
        } catch (IOException e) {
            // Either side has ended.
        }
    }

    private void answersOf(Socket server, Socket client) {
        try (server;
                client) {
            answers(server, client);
        } catch (IOException e) {
            // Either side has ended.
        }
    }

    /** The start-up parameters for the server; null = the session is refused. */
    protected byte[] startUp(byte[] parameters) {
        return parameters;
    }

    /** The message for a session that is refused. */
    protected byte[] refusal() {
        throw new IllegalStateException("no session is refused");
    }

    /** Passes on what the client sends. */
    protected void questions(DataInputStream client, DataOutputStream server) throws IOException {
        client.transferTo(server);
    }

    /** Passes on what the server sends. */
    protected void answers(Socket server, Socket client) throws IOException {
        server.getInputStream().transferTo(client.getOutputStream());
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "wire");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }
}
