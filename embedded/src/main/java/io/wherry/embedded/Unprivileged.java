package io.wherry.embedded;

import com.sun.security.auth.module.UnixSystem;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs programs as the user {@code nobody} if Wherry runs as root, otherwise as the same user: PostgreSQL refuses to run as root.
 */
public final class Unprivileged {
    private static final String USER = "nobody";

    private Unprivileged() {}

    public static boolean isRoot() {
        return new UnixSystem().getUid() == 0;
    }

    /** {@code command} for a process that first drops root's rights; its process number is that of the program. */
    static List<String> command(List<String> command) {
        if (!isRoot()) {
            return command;
        }
        List<String> dropping =
                new ArrayList<>(List.of("setpriv", "--reuid=" + USER, "--regid=" + group(), "--clear-groups", "--"));
        dropping.addAll(command);
        return dropping;
    }

    /** Makes the user that {@link #command} runs programs as the owner of {@code path}. */
    public static void own(Path path) throws IOException {
        if (isRoot()) {
            Files.setOwner(
                    path, path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(USER));
        }
    }

    private static String group() {
        try {
            Process process = new ProcessBuilder("id", "-g", USER).start();
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new ServerException("Cannot find the group of the user " + USER + ": " + e.getMessage(), e);
        }
    }
}
