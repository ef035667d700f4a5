package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where this machine's apt gets Debian's packages from. */
public final class AptSources {
    /** Debian's documented address, for machines whose own sources do not name one. */
    private static final String DEFAULT_MIRROR = "http://deb.debian.org/debian";

    /** Both formats: {@code deb [options] URI suite …} and {@code URIs: URI …}; Debian's mirrors end with /debian. */
    private static final Pattern MIRROR =
            Pattern.compile("(?m)^(?:deb\\s+(?:\\[[^]]*]\\s+)?|URIs:\\s*)(\\S+/debian/?)(?=\\s|$)");

    private AptSources() {}

    /** The mirror of Debian's main archive named in apt's sources under {@code /etc/apt}. */
    static String debianMirror() throws IOException {
        List<Path> files = new ArrayList<>(List.of(Path.of("/etc/apt/sources.list")));
        Path parts = Path.of("/etc/apt/sources.list.d");
        if (Files.isDirectory(parts)) {
            try (DirectoryStream<Path> sources = Files.newDirectoryStream(parts, "*.{list,sources}")) {
                sources.forEach(files::add);
            }
        }
        StringBuilder text = new StringBuilder();
        for (Path file : files) {
            if (Files.isReadable(file)) {
                text.append(Files.readString(file)).append('\n');
            }
        }
        return debianMirror(text.toString());
    }

    public static String debianMirror(String sources) {
        Matcher mirror = MIRROR.matcher(sources);
        return mirror.find() ? mirror.group(1) : DEFAULT_MIRROR;
    }
}
