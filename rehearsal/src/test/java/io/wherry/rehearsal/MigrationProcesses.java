package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Effect;
import io.wherry.contract.Failpoints;
import io.wherry.contract.Migration;
import io.wherry.contract.MigrationFile;
import io.wherry.coordinator.HttpApi;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** The services of a migration as processes of their own, by which they can be killed and stopped. */
abstract class MigrationProcesses extends MigrationDatabases {
    private final Map<String, Process> children = new ConcurrentHashMap<>();
    // One that is killed leaves its sessions to the server.
    private boolean startedProcesses;

    MigrationProcesses(String name, ServerPair servers, String database, boolean ownsServers) {
        super(name, servers, database, ownsServers);
    }

    /** Starts a service as a process of its own: {@code source}, {@code sink} or {@code coordinator}. */
    void startProcess(String service) {
        startProcess(service, WherryProcess.LAUNCHER_HEAP_MEBIBYTES);
    }

    void startProcess(String service, int heapMebibytes) {
        started(service, WherryProcess.start(directory.resolve(service + ".log"), heapMebibytes, arguments(service)));
    }

    /** The same, with the log that users get. */
    void startProcessAsShipped(String service) {
        started(service, WherryProcess.startAsShipped(directory.resolve(service + ".log"), arguments(service)));
    }

    /** With a cutover window of its own. */
    void startTwin(String key, String service, String maxDowntime) {
        Path file = fileWithPortOfItsOwn(key);
        try {
            Files.writeString(
                    file, Files.readString(file).replaceFirst("max-downtime: \\w+", "max-downtime: " + maxDowntime));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        startTwin(key, service);
    }

    private void started(String key, Process process) {
        startedProcesses = true;
        children.put(key, process);
    }

    private String[] arguments(String command) {
        return arguments(command, directory.resolve("m.yaml"));
    }

    private String[] arguments(String command, Path file) {
        return new String[] {
            command, "-f", file.toString(), "--data", directory.resolve("state").toString()
        };
    }

    /** Starts one more instance of a service as a process, known by {@code key}. */
    void startTwin(String key, String service) {
        startArmed(key, service, Optional.empty());
    }

    /** The same, but to die at a failpoint; its exit code is then {@link Failpoints#EXIT_CODE}. */
    void startArmed(String key, String service, Optional<String> failpoint) {
        started(
                key,
                WherryProcess.startArmed(
                        directory.resolve(key + ".log"), failpoint, arguments(service, fileWithPortOfItsOwn(key))));
    }

    /** Starts a service as a process of which a thread will hang. */
    void startHanging(String service, Effect place) {
        started(service, WherryProcess.startHanging(directory.resolve(service + ".log"), place, arguments(service)));
    }

    /** Two coordinators of one machine cannot listen at the same port. */
    private Path fileWithPortOfItsOwn(String key) {
        Path file = directory.resolve(key + ".yaml");
        try {
            if (!Files.exists(file)) {
                String text = Files.readString(directory.resolve("m.yaml"));
                Files.writeString(
                        file, text.replaceFirst("listen: \".*?\"", "listen: \"127.0.0.1:" + FreePorts.next() + '"'));
            }
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Asks a coordinator that was started as a process for the cutover; the answer comes when that has ended. */
    CompletableFuture<HttpResponse<String>> askForCutover(String key) {
        Migration own = MigrationFile.read(fileWithPortOfItsOwn(key));
        try {
            String token = Files.readString(
                    HttpApi.tokenFile(directory.resolve("state").resolve(name)));
            HttpRequest request = HttpRequest.newBuilder(
                            URI.create("http://127.0.0.1:" + own.http().port() + "/api/cutover"))
                    .header("Authorization", "Bearer " + token.strip())
                    .POST(HttpRequest.BodyPublishers.noBody())
                    .build();
            return HttpClient.newHttpClient().sendAsync(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sends a signal, such as STOP and CONT, to a process that was started here. */
    void signal(String key, String signal) {
        Command.run(
                List.of("kill", "-" + signal, Long.toString(children.get(key).pid())),
                directory,
                directory.resolve("kill.log"),
                PATIENCE,
                key + " cannot be signalled");
    }

    boolean isAlive(String key) {
        return children.get(key).isAlive();
    }

    /** Of one that has ended. */
    int exitCode(String key) {
        return children.get(key).exitValue();
    }

    /** Runs a command to its end and returns its exit code. */
    int run(String... arguments) throws InterruptedException {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of(
                "-f",
                directory.resolve("m.yaml").toString(),
                "--data",
                directory.resolve("state").toString()));
        return WherryProcess.start(directory.resolve("command.log"), all.toArray(String[]::new))
                .waitFor();
    }

    /** {@code kill -9}. */
    void kill(String service) {
        Process process = children.remove(service);
        assertThat(process.isAlive()).as(service + " ran until it was killed").isTrue();
        process.destroyForcibly();
        process.onExit().join();
    }

    /** Waits until a service ends by itself. @return its exit code */
    int awaitEnd(String service) {
        Process process = children.get(service);
        await(service + " ends").atMost(PATIENCE).until(() -> !process.isAlive());
        children.remove(service);
        return process.exitValue();
    }

    String log(String service) {
        try {
            return Files.readString(directory.resolve(service + ".log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void assertAllAlive() {
        assertThat(children).allSatisfy((service, process) -> assertThat(process.isAlive())
                .as(() -> service + ": " + log(service))
                .isTrue());
    }

    /** Kills those that live. @return whether there were none from the start */
    boolean killAll() {
        children.values().forEach(process -> {
            process.destroyForcibly();
            process.onExit().join();
        });
        return !startedProcesses;
    }
}
