package io.wherry.embedded;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line of a child JVM: the same Java as that of Wherry. */
public final class JavaCommand {
    private static final List<String> SHORT_LIVED =
            List.of("-XX:TieredStopAtLevel=", "-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote");

    private JavaCommand() {}

    /**
     * A child compiles and verifies classes as this JVM does: if this JVM is too short-lived for that to pay, so are its
     * children.
     *
     * @param arguments after {@code java}
     */
    public static List<String> of(String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> SHORT_LIVED.stream().anyMatch(argument::startsWith))
                .forEach(command::add);
        command.addAll(List.of(arguments));
        return command;
    }
}
