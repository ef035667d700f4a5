package io.wherry.source.load;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The tables that are still missing after a round of the load, and when the load of such a table fails. A table that is altered again
 * and again is tried for many rounds. A table that was not altered, but that the source refuses to read, is tried only a few times:
 * the statement may have named an object that was renamed since, such as a type, and the next round uses the new name.
 */
final class UnreadTables {
    private static final int MOST_ROUNDS = 20;
    private static final int MOST_REFUSALS = 3;

    /**
     * Why a table is missing after a round.
     *
     * @param altered whether the table was altered, truncated or rewritten; else the source refused to read it
     */
    record Reason(String text, boolean altered) {
        static Reason altered(String text) {
            return new Reason(text, true);
        }
    }

    private record Tries(int rounds, int alterations, int sameRefusals, Reason last) {}

    private final Map<TableId, Tries> tries = new HashMap<>();

    /** @return why the load of the table fails; empty = try the table in another round */
    Optional<String> after(TableId table, Reason reason) {
        Tries before = tries.getOrDefault(table, new Tries(0, 0, 0, reason));
        int refusals = reason.altered() ? 0 : before.last().equals(reason) ? before.sameRefusals() + 1 : 1;
        Tries now = new Tries(before.rounds() + 1, before.alterations() + (reason.altered() ? 1 : 0), refusals, reason);
        tries.put(table, now);
        if (refusals < MOST_REFUSALS && now.rounds() < MOST_ROUNDS) {
            return Optional.empty();
        }
        tries.remove(table);
        if (!reason.altered()) {
            return Optional.of(reason.text());
        }
        String often = now.alterations() == now.rounds() ? "each" : String.valueOf(now.alterations());
        return Optional.of("it was altered, truncated or rewritten in " + often + " of " + now.rounds()
                + " rounds (in the last: "
                + reason.text() + "). Stop ALTER TABLE, TRUNCATE and VACUUM FULL of the table for some minutes, then "
                + Remedies.retry(table));
    }

    /** What the source says, and a remedy. */
    static String refused(CaptureGroup group, TableId table, Exception e) {
        if (!(e instanceof SQLException sql)) {
            return Sentence.of(String.valueOf(e.getMessage()), "Then " + Remedies.retry(table));
        }
        return "the source refuses to read the table: " + sql.getMessage() + " (SQLSTATE " + Sessions.state(sql) + "). "
                + remedy(group, table, sql) + ", then " + Remedies.retry(table);
    }

    private static String remedy(CaptureGroup group, TableId table, SQLException e) {
        String role = Identifiers.quote(group.from().user());
        return switch (Sessions.state(e)) {
            case "42501" ->
                String.valueOf(e.getMessage()).contains("row-level security")
                        ? "On the source: ALTER ROLE " + role + " BYPASSRLS"
                        : "On the source, grant the missing right; for the table: GRANT SELECT ON " + table.quoted()
                                + " TO " + role;
            case "42P01", "42883", "42704", "42703", "3F000" ->
                "Names without a schema are searched only in pg_catalog: write the name with its schema, or on the source"
                        + " ALTER FUNCTION … SET search_path = … of the function that uses the name";
            case "55P03" -> "Wait until the table is no longer locked on the source";
            case "XX001", "XX002" -> "Restore the damaged rows on the source, from a backup or a standby";
            default -> "Fix the cause on the source";
        };
    }
}
