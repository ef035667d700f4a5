package io.wherry.contract.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LsnTest {
    @ParameterizedTest
    @ValueSource(strings = {"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", "1/A"})
    void readsWhatItWrites(String text) {
        assertThat(Lsn.parse(text)).hasToString(text);
    }

    @Test
    void ordersAsUnsigned() {
        Lsn beyondSignedRange = Lsn.parse("80000000/0");
        assertThat(beyondSignedRange.isAfter(Lsn.parse("7FFFFFFF/FFFFFFFF"))).isTrue();
        assertThat(Lsn.parse("1/0").bytesSince(Lsn.parse("0/FFFFFFFF"))).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "1/", "/1", "123456789/0", "g/0", "10"})
    void refusesWhatIsNoLsn(String text) {
        assertThatThrownBy(() -> Lsn.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }
}
