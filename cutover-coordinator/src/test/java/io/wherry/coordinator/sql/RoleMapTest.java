package io.wherry.coordinator.sql;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.dump.DatabaseEntries;
import io.wherry.coordinator.dump.DumpScript.Entry;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RoleMapTest {
    private final RoleMap roles = new RoleMap(Map.of("old", "new role", "O \"ne", "one", "postgres", "admin"));

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "ALTER TABLE public.\"t OWNER TO old\" OWNER TO old | ALTER TABLE public.\"t OWNER TO old\" OWNER TO \"new role\"",
                "ALTER FUNCTION public.f(a old) OWNER TO \"O \"\"ne\" | ALTER FUNCTION public.f(a old) OWNER TO \"one\"",
                "GRANT SELECT(a),UPDATE(b) ON TABLE public.old TO old | GRANT SELECT(a),UPDATE(b) ON TABLE public.old TO \"new role\"",
                "GRANT ALL ON SCHEMA old TO old WITH GRANT OPTION | GRANT ALL ON SCHEMA old TO \"new role\" WITH GRANT OPTION",
                "REVOKE ALL ON FUNCTION public.f() FROM PUBLIC | REVOKE ALL ON FUNCTION public.f() FROM PUBLIC",
                "ALTER DEFAULT PRIVILEGES FOR ROLE old IN SCHEMA old GRANT SELECT ON TABLES TO other |"
                        + " ALTER DEFAULT PRIVILEGES FOR ROLE \"new role\" IN SCHEMA old GRANT SELECT ON TABLES TO other",
                "ALTER DEFAULT PRIVILEGES FOR ROLE old REVOKE ALL ON TYPES FROM postgres |"
                        + " ALTER DEFAULT PRIVILEGES FOR ROLE \"new role\" REVOKE ALL ON TYPES FROM \"admin\"",
                "CREATE POLICY old ON public.old AS RESTRICTIVE FOR SELECT TO old, other, \"O \"\"ne\" USING ((a <> 'old'::text)) |"
                        + " CREATE POLICY old ON public.old AS RESTRICTIVE FOR SELECT TO \"new role\", other, \"one\" USING ((a <> 'old'::text))",
                "CREATE POLICY p ON public.t TO old | CREATE POLICY p ON public.t TO \"new role\"",
                "CREATE USER MAPPING FOR old SERVER s OPTIONS (a 'old') | CREATE USER MAPPING FOR \"new role\" SERVER s OPTIONS (a 'old')",
                "SET SESSION AUTHORIZATION old | SET SESSION AUTHORIZATION \"new role\"",
                "CREATE TABLE public.old (a text DEFAULT 'x OWNER TO old'::text) | CREATE TABLE public.old (a text DEFAULT 'x OWNER TO old'::text)",
                "ALTER ROLE old IN DATABASE d SET a TO 'x' | ALTER ROLE \"new role\" IN DATABASE d SET a TO 'x'",
            })
    void onlyRolesAreReplaced(String source, String target) {
        assertThat(roles.statement(source)).isEqualTo(target);
    }

    @Test
    void whatIsOfTheDatabaseGetsTheTargetsName() {
        List<Entry> entries = List.of(
                new Entry(
                        "DATABASE",
                        "shop",
                        List.of(),
                        List.of("CREATE DATABASE shop", "ALTER DATABASE shop OWNER TO old")),
                new Entry(
                        "DATABASE PROPERTIES",
                        "shop",
                        List.of(),
                        List.of(
                                "ALTER DATABASE shop SET a TO 'shop'",
                                "ALTER ROLE old IN DATABASE shop SET b TO 'c', 'd'")),
                new Entry("ACL", "DATABASE shop", List.of(), List.of("GRANT CREATE ON DATABASE shop TO old")),
                new Entry("ACL", "TABLE t", List.of(), List.of("GRANT SELECT ON TABLE public.t TO old")),
                new Entry(
                        "COMMENT",
                        "DATABASE shop",
                        List.of(),
                        List.of("COMMENT ON DATABASE shop IS 'on DATABASE shop'")));
        assertThat(DatabaseEntries.of(entries, "new shop", roles))
                .flatExtracting(Entry::statements)
                .containsExactly(
                        "ALTER DATABASE \"new shop\" SET a TO 'shop'",
                        "ALTER ROLE \"new role\" IN DATABASE \"new shop\" SET b TO 'c', 'd'",
                        "GRANT CREATE ON DATABASE \"new shop\" TO \"new role\"",
                        "COMMENT ON DATABASE \"new shop\" IS 'on DATABASE shop'");
    }
}
