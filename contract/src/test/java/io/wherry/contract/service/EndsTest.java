package io.wherry.contract.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.StuckException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class EndsTest {
    @Test
    void aThreadThatNeverComesBackDoesNotHoldUpTheCloseForEver() {
        CountDownLatch told = new CountDownLatch(1);
        Thread hung = new Thread(
                () -> {
                    while (told.getCount() > 0) {
                        LockSupport.park();
                    }
                },
                "engine");
        hung.start();
        assertThatThrownBy(() -> Ends.await("source-connector", List.of(hung), Duration.ofMillis(50)))
                .isInstanceOf(StuckException.class)
                .hasMessageContaining("thread engine did not end")
                .hasMessageContaining("park");
        told.countDown();
        LockSupport.unpark(hung);
        assertThatCode(() -> Ends.await("source-connector", List.of(hung), Duration.ofMinutes(1)))
                .doesNotThrowAnyException();
    }

    @Test
    void anInterruptDoesNotShortenTheWaitAndStaysSet() {
        Thread brief = new Thread(() -> LockSupport.parkNanos(200_000_000L));
        brief.start();
        Thread.currentThread().interrupt();
        Ends.await("sink-applier", List.of(brief), Duration.ofMinutes(1));
        assertThat(Thread.interrupted()).isTrue();
        assertThat(brief.isAlive()).isFalse();
    }
}
