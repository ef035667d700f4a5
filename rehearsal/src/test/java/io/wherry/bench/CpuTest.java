package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a server takes counts whether its children live or have ended. */
@Tag("no-servers")
class CpuTest {
    private static final String BUSY = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

    @Test
    void childrenThatHaveEndedAndThoseThatLiveCount() throws Exception {
        Process server =
                new ProcessBuilder("sh", "-c", "(" + BUSY + "); (" + BUSY + "; echo; exec sleep 60) & wait").start();
        try {
            Cpu cpu = new Cpu(() -> Map.of("server", server.pid()));
            Cpu.Used before = cpu.now();
            // Written when both children have worked; the first has ended, the second lives.
            assertThat(server.getInputStream().read()).isEqualTo('\n');
            double used = cpu.now().since(before).of("server");
            double alive = server.descendants()
                    .mapToDouble(child -> Cpu.ofProcess(child.pid()).orElse(0.0))
                    .sum();
            assertThat(alive).isPositive();
            assertThat(used).isGreaterThan(1.4 * alive);
        } finally {
            server.descendants().forEach(ProcessHandle::destroyForcibly);
            server.destroyForcibly();
        }
    }

    @Test
    void programsThatThisProcessHasStartedCountWhenTheyHaveEnded() throws Exception {
        Cpu cpu = new Cpu(Map::of);
        Cpu.Used before = cpu.now();
        assertThat(new ProcessBuilder("sh", "-c", BUSY).start().waitFor()).isZero();
        assertThat(cpu.now().since(before).of(Cpu.TOOLS)).isPositive();
    }
}
