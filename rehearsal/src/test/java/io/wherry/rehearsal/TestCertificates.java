package io.wherry.rehearsal;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** An authority, a certificate of its for {@code localhost}, and another authority that has signed nothing. Made by openssl. */
final class TestCertificates {
    /** Of all key stores and trust stores. */
    static final String STORE_PASSWORD = "s3cret-store-Kw";

    private final Path directory;

    TestCertificates(Path directory) throws IOException {
        this.directory = directory;
        for (String authority : List.of("ca", "foreign")) {
            openssl(
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "30",
                    "-subj",
                    "/CN=wherry-" + authority,
                    "-keyout",
                    path(authority + ".key"),
                    "-out",
                    path(authority + ".crt"));
            trustStore(authority);
        }
        Files.writeString(directory.resolve("san"), "subjectAltName=DNS:localhost\n");
        openssl(
                "req",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=localhost",
                "-keyout",
                path("server.key"),
                "-out",
                path("server.csr"));
        openssl(
                "x509",
                "-req",
                "-days",
                "30",
                "-in",
                path("server.csr"),
                "-CA",
                path("ca.crt"),
                "-CAkey",
                path("ca.key"),
                "-CAcreateserial",
                "-extfile",
                path("san"),
                "-out",
                path("server.crt"));
        Path password = Files.writeString(directory.resolve("password"), STORE_PASSWORD);
        openssl(
                "pkcs12",
                "-export",
                "-in",
                path("server.crt"),
                "-inkey",
                path("server.key"),
                "-certfile",
                path("ca.crt"),
                "-passout",
                "file:" + password,
                "-out",
                path("server.p12"));
    }

    /** {@code ca.crt}, {@code foreign.crt}, {@code server.crt}, {@code server.key}; {@code server.p12}, {@code ca.p12}, {@code foreign.p12}. */
    String path(String name) {
        return directory.resolve(name).toString();
    }

    private void trustStore(String authority) throws IOException {
        try (InputStream certificate = Files.newInputStream(directory.resolve(authority + ".crt"));
                OutputStream out = Files.newOutputStream(directory.resolve(authority + ".p12"))) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setCertificateEntry(
                    "ca", CertificateFactory.getInstance("X.509").generateCertificate(certificate));
            store.store(out, STORE_PASSWORD.toCharArray());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private void openssl(String... arguments) {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(arguments));
        Command.run(command, directory, directory.resolve("openssl.log"), Duration.ofMinutes(2), "Install openssl.");
    }
}
