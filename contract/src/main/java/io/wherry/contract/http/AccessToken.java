package io.wherry.contract.http;

import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.error.ConfigurationException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;

/** The token that guarded calls need: the configured token, or a token that is created once and kept in a file. */
public final class AccessToken {
    private static final int BYTES = 32;
    private static final int LENGTH = 2 * BYTES;

    private final byte[] header;

    private AccessToken(String token) {
        this.header = ("Bearer " + token).getBytes(StandardCharsets.UTF_8);
    }

    /** @throws ConfigurationException when the file of a created token cannot be read or written */
    public static AccessToken of(Http configured, Path stateDirectory) {
        return new AccessToken(configured.token().orElseGet(() -> own(stateDirectory)));
    }

    /** The file that holds a created token. */
    public static Path file(Path stateDirectory) {
        return stateDirectory.resolve("token");
    }

    /** Compares in constant time, so that the time does not show how much of a guess was right. */
    public boolean isIn(String authorization) {
        return authorization != null && MessageDigest.isEqual(authorization.getBytes(StandardCharsets.UTF_8), header);
    }

    private static String own(Path stateDirectory) {
        Path file = file(stateDirectory);
        try {
            if (Files.exists(file) && Files.readString(file).strip().length() == LENGTH) {
                return Files.readString(file).strip();
            }
            byte[] random = new byte[BYTES];
            new SecureRandom().nextBytes(random);
            String made = HexFormat.of().formatHex(random);
            Files.createDirectories(stateDirectory);
            // Moved to its place when complete: half a token, or an empty one, would be easy to guess.
            Path whole = Files.createTempFile(
                    stateDirectory,
                    "token",
                    ".new",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(whole, made);
            Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
            return made;
        } catch (IOException e) {
            throw new ConfigurationException(
                    file.toString(),
                    "cannot be used: " + e.getMessage(),
                    "Make the directory writable, or set http.token");
        }
    }
}
