package io.wherry.rehearsal.servers;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;

/** A network that loses everything for a time, and tells nobody: sessions stay open, and nothing is answered. */
public final class FrozenWire extends Wire {
    private boolean frozen;

    public FrozenWire(int serverPort) {
        super(serverPort);
    }

    /** From now on nothing passes. */
    public synchronized void freeze() {
        frozen = true;
    }

    /** Everything passes again, also what was sent meanwhile. */
    public synchronized void thaw() {
        frozen = false;
        notifyAll();
    }

    private synchronized void awaitThaw() throws IOException {
        try {
            while (frozen) {
                wait();
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Override
    protected void questions(DataInputStream client, DataOutputStream server) throws IOException {
        pass(client, server);
    }

    @Override
    protected void answers(Socket server, Socket client) throws IOException {
        pass(server.getInputStream(), client.getOutputStream());
    }

    private void pass(InputStream from, OutputStream to) throws IOException {
        byte[] some = new byte[1 << 16];
        for (int read = from.read(some); read >= 0; read = from.read(some)) {
            awaitThaw();
            to.write(some, 0, read);
            to.flush();
        }
    }
}
