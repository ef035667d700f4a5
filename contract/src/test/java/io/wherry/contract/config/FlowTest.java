package io.wherry.contract.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

final class FlowTest {
    private static final Migration MIGRATION = MigrationFile.parse("""
            name: my-shop
            source: {url: "jdbc:postgresql://old:5432/shop", user: wherry}
            target: {url: "jdbc:postgresql://new:5432/shop", user: wherry}
            """, Map.of());

    @Test
    void theFirstGenerationRunsFromTheSourceToTheTarget() {
        Flow flow = Flow.first(MIGRATION);
        assertThat(flow.from()).isEqualTo(MIGRATION.source());
        assertThat(flow.to()).isEqualTo(MIGRATION.target());
        assertThat(flow.publications()).containsExactly("wherry_my_shop");
        assertThat(flow.groups()).extracting(CaptureGroup::slot).containsExactly("wherry_my_shop");
    }

    @Test
    void namesOfAnotherGenerationOrGroupDiffer() {
        Flow back = new Flow(MIGRATION, 2, MIGRATION.target(), MIGRATION.source());
        CaptureGroup first = back.groups().get(0);
        assertThat(first.from()).isEqualTo(MIGRATION.target());
        assertThat(first.slot()).isEqualTo("wherry_my_shop_g2");
        assertThat(first.transactionalId()).isEqualTo("wherry-my-shop-source_g2");
        assertThat(new CaptureGroup(back, 1).slot()).isEqualTo("wherry_my_shop_g2_1");
        assertThat(new CaptureGroup(Flow.first(MIGRATION), 1).publication()).isEqualTo("wherry_my_shop_1");
    }

    @Test
    void everyProducerOfTheFlowIsNamed() {
        assertThat(Flow.first(MIGRATION).transactionalIds(2))
                .containsExactly(
                        "wherry-my-shop-source",
                        "wherry-my-shop-control",
                        "wherry-my-shop-load-0",
                        "wherry-my-shop-load-1");
    }
}
