package io.wherry.contract.config;

import java.nio.file.Path;
import java.util.Map;

/** Where Wherry keeps downloaded files: server binaries, jars, a PostgreSQL client. */
public final class CacheDirectory {
    private CacheDirectory() {}

    /**
     * The cache directory of this machine; it need not exist yet. {@code WHERRY_CACHE} if set, else {@code /var/cache/wherry} for
     * root, else {@code ~/.cache/wherry}.
     */
    public static Path locate() {
        return locate(System.getenv(), System.getProperty("user.name"), Path.of(System.getProperty("user.home")));
    }

    // Root does not use its home: servers run as an unprivileged user, and that user cannot enter /root.
    public static Path locate(Map<String, String> environment, String user, Path home) {
        String chosen = environment.getOrDefault("WHERRY_CACHE", "");
        if (!chosen.isBlank()) {
            return Path.of(chosen).toAbsolutePath().normalize();
        }
        return user.equals("root") ? Path.of("/var/cache/wherry") : home.resolve(".cache/wherry");
    }
}
