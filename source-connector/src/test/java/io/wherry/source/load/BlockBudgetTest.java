package io.wherry.source.load;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

final class BlockBudgetTest {
    @Test
    void aReaderWaitsUntilKafkaHasAcknowledgedEnough() throws Exception {
        BlockBudget budget = new BlockBudget(100);
        budget.take(60);
        CountDownLatch taken = new CountDownLatch(1);
        AtomicReference<InterruptedException> failure = new AtomicReference<>();
        Thread reader = new Thread(() -> {
            try {
                budget.take(60);
                taken.countDown();
            } catch (InterruptedException e) {
                failure.set(e);
            }
        });
        reader.start();
        while (reader.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertThat(taken.getCount()).isEqualTo(1);
        budget.giveBack(60);
        taken.await();
        reader.join();
        assertThat(failure).hasValue(null);
        assertThat(budget.peak()).isEqualTo(60);
    }
}
