package io.wherry.contract.error;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.record.Json;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MaskingTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "on the source only: CREATE USER MAPPING FOR app SERVER far OPTIONS ( \"user\" 'hidden', password 'hidden' )",
                "on the source only: CREATE USER MAPPING FOR app SERVER far OPTIONS ( password 'hidden with a '' and hidden …",
                "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (api 'hidden')",
                "ALTER ROLE app PASSWORD 'hidden'",
                "ALTER ROLE app PASSWORD '''hidden'",
                "ALTER ROLE app ENCRYPTED PASSWORD E'hid\\'hidden'",
                "CREATE SUBSCRIPTION s CONNECTION 'host=h password=hidden' PUBLICATION p",
                "jdbc:postgresql://h/d?user=u&password=hidden&ssl=true",
                "postgres://u:hidden@h/d",
                "ERROR: duplicate key value violates unique constraint \"x\"\n  Detail: Key (email)=(hidden@hidden) already exists.",
                "Detail: Key (lower(a), b)=(hid(den, hidden) conflicts with existing key (lower(a), b)=(hidden, hidden).",
                "ERROR: new row for relation \"t\" violates check constraint\n  Detail: Failing row contains (1, hidden, (hidden)).",
                "Partition key of the failing row contains (id) = (hidden).",
                "ERROR: invalid input syntax for type integer: \"hidden\"",
                "value \"hidden\" is out of range for type smallint",
                "  Where: COPY t, line 3, column email: \"hidden\"",
                "COPY t, line 1: \"hidden\thidden\"",
                "unnamed portal parameter $1 = '{hidden}'",
            })
    void passwordsAndValuesOfRowsAreShown(String text) {
        assertThat(Masking.mask(text)).doesNotContain("hidden").contains(Masking.MASK);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "on the source only: CREATE FUNCTION public.f() RETURNS integer",
                "column \"gone\" of public.t is integer on the source, text on the target: wait until its changes stop there",
                "ALTER ROLE \"plain\" REPLICATION (on RDS: GRANT rds_replication TO \"plain\")",
                "http.token: is not configured and /data/token cannot be read",
                "FATAL: password authentication failed for user \"app\"",
                "public.keyless: has no key, so an update would not name its row",
            })
    void whatIsNoSecretIsTakenOut(String text) {
        assertThat(Masking.mask(text)).isEqualTo(text);
    }

    @Test
    void namesStayAndTheRestOfAMessageToo() {
        assertThat(Masking.mask("Key (email)=(a@b.c) already exists.")).isEqualTo("Key (email)=(***) already exists.");
        assertThat(Masking.mask(
                        "Failing row contains (1, (x)). The target refused the statement (SQLSTATE 23514); change it"))
                .isEqualTo("Failing row contains (***). The target refused the statement (SQLSTATE 23514); change it");
        JsonNode status =
                Json.mapper().valueToTree(Map.of("nextSteps", new String[] {"ALTER ROLE a PASSWORD 'x'"}, "rows", 3));
        JsonNode masked = Masking.mask(status);
        assertThat(masked.toString()).contains("PASSWORD '***'").contains("\"rows\":3");
    }

    @Test
    @Timeout(30)
    void aLongHostileTextKeepsUsBusyOrIsNotMasked() {
        for (String prefix :
                new String[] {"x", "''x", "value \"", "key (", "row contains (", "COPY x, line ", "://x", "password "
                }) {
            assertThat(Masking.mask(prefix.repeat(200_000))).hasSizeLessThan(20_000);
        }
        assertThat(Masking.mask("ALTER ROLE a PASSWORD '" + "''x".repeat(200_000)))
                .hasSizeLessThan(40);
        for (String cut : new String[] {
            "invalid input syntax for type integer: \"",
            "Failing row contains (",
            "Key (a)=(",
            "COPY t, line 1, column a: \""
        }) {
            assertThat(Masking.mask(cut + "hidden ".repeat(10_000) + "end\")")).doesNotContain("hidden");
        }
    }
}
