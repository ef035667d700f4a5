package io.wherry.soak;

import io.wherry.embedded.ServerException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A network between a server and its clients that can be cut, go silent and be slow. It never alters or reorders a byte of a
 * connection. A connection that lost bytes passes no more bytes, and is reset when the network works again.
 */
final class TcpProxy implements AutoCloseable {
    private static final int BUFFER_BYTES = 16 * 1024;

    private enum Mode {
        PASS,
        REFUSE,
        SWALLOW
    }

    private final int backendPort;
    private final ServerSocket listener;
    private final Set<Link> links = ConcurrentHashMap.newKeySet();
    private volatile Mode mode = Mode.PASS;
    private volatile long delayMillis;
    private volatile boolean closed;

    TcpProxy(int backendPort) {
        this(0, backendPort);
    }

    TcpProxy(int port, int backendPort) {
        this.backendPort = backendPort;
        try {
            listener = new ServerSocket(port, 100, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new ServerException("Cannot listen on 127.0.0.1:" + port + ": " + e.getMessage(), e);
        }
        daemon("proxy-" + listener.getLocalPort(), this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** Breaks every connection, and every new one until {@link #heal}. */
    void cut() {
        mode = Mode.REFUSE;
        reset();
    }

    /** Accepts all data and passes nothing on, in either direction, until {@link #heal}. Neither side gets an error. */
    void swallow() {
        mode = Mode.SWALLOW;
    }

    /** Delays each piece of at most 16 KiB by this time. 0 = no delay. */
    void delay(long millis) {
        delayMillis = millis;
    }

    /** Connections that lost bytes are reset, new ones pass. */
    void heal() {
        Mode before = mode;
        mode = Mode.PASS;
        delayMillis = 0;
        if (before == Mode.SWALLOW) {
            reset();
        }
    }

    private void reset() {
        links.forEach(Link::close);
    }

    private void accept() {
        while (!closed) {
            try {
                Link link = new Link(listener.accept());
                links.add(link);
                daemon("proxy-link", link::connect);
            } catch (IOException e) {
                if (!closed) {
                    throw new ServerException("The proxy cannot accept: " + e.getMessage(), e);
                }
            }
        }
    }

    private static void daemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() {
        closed = true;
        try {
            listener.close();
        } catch (IOException e) {
            throw new ServerException("Cannot close a listener: " + e.getMessage(), e);
        }
        reset();
    }

    private final class Link {
        private final Socket client;
        private final Socket server = new Socket();
        private volatile boolean lostBytes;

        Link(Socket client) {
            this.client = client;
        }

        void connect() {
            if (mode == Mode.REFUSE) {
                close();
                return;
            }
            try {
                server.connect(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), backendPort));
                client.setTcpNoDelay(true);
                server.setTcpNoDelay(true);
            } catch (IOException e) {
                // The server is down: the client sees its connection end, as it would without the proxy.
                close();
                return;
            }
            daemon("proxy-back", () -> pump(server, client));
            pump(client, server);
        }

        private void pump(Socket from, Socket to) {
            byte[] buffer = new byte[BUFFER_BYTES];
            try {
                InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream();
                for (int size = in.read(buffer); size >= 0; size = in.read(buffer)) {
                    if (delayMillis > 0) {
                        Thread.sleep(delayMillis);
                    }
                    lostBytes |= mode == Mode.SWALLOW;
                    if (!lostBytes) {
                        out.write(buffer, 0, size);
                    }
                }
            } catch (IOException | InterruptedException e) {
                // Either side has ended, so the link ends too.
            }
            close();
        }

        void close() {
            links.remove(this);
            for (Socket socket : new Socket[] {client, server}) {
                try {
                    if (!socket.isClosed()) {
                        // A reset, as from a machine that does not know the connection.
                        socket.setSoLinger(true, 0);
                    }
                    socket.close();
                } catch (IOException e) {
                    // The thread of the other direction has closed it.
                }
            }
        }
    }
}
