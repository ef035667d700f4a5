package io.wherry.source.publish;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.error.DataException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TopicPartitionsTest {
    @Test
    void aTopicThatAUserCreatedWithMorePartitionsDoesNotSpreadATable() {
        assertThat(TopicPartitions.used("t", 3, 1, false)).isEqualTo(1);
        assertThat(TopicPartitions.used("t", 3, 1, true)).isEqualTo(1);
    }

    @Test
    void aTopicWithFewerPartitionsIsUsedOnlyBeforeTheFirstPlan() {
        assertThat(TopicPartitions.used("t", 2, 8, false)).isEqualTo(2);
        assertThatThrownBy(() -> TopicPartitions.used("t", 1, 3, true))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("re-created");
    }

    @Test
    void onlySettingsThatDifferAreSet() {
        assertThat(TopicSettings.different(
                        Map.of("cleanup.policy", "delete", "retention.ms", "-1"),
                        Map.of("cleanup.policy", "compact", "retention.ms", "-1", "segment.ms", "1")))
                .isEqualTo(Map.of("cleanup.policy", "delete"));
    }
}
