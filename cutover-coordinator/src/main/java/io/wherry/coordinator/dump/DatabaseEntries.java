package io.wherry.coordinator.dump;

import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.sql.RoleMap;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The entries of pg_dump for the database itself: settings ({@code ALTER DATABASE … SET}), grants and comment (pure). */
public final class DatabaseEntries {
    private static final Pattern STATEMENT = Pattern.compile(
            "((?:ALTER|ALTER ROLE .* IN|GRANT .* ON|REVOKE .* ON|COMMENT ON) DATABASE )(?:\"(?:[^\"]|\"\")+\"|[^\\s\"]+)( .*)",
            Pattern.DOTALL);

    private DatabaseEntries() {}

    /**
     * The database's entries of a dump with {@code --create}, for the target's database and roles. The creator of the target
     * database chooses its name, owner, encoding and locale.
     */
    public static List<Entry> of(List<Entry> entries, String database, RoleMap roles) {
        return entries.stream()
                .filter(DatabaseEntries::wanted)
                .map(entry -> entry.with(sql -> roles.statement(renamed(sql, database))))
                .toList();
    }

    /** A statement that waits, for a database of another name. */
    public static Ddl renamed(Ddl ddl, String database) {
        boolean ofDatabase =
                ddl.kind().equals("DATABASE PROPERTIES") || ddl.name().startsWith("DATABASE ");
        if (!ofDatabase) {
            return ddl;
        }
        String sql = SqlScript.parts(ddl.sql()).stream()
                .map(part -> renamed(part.sql(), database) + ";\n")
                .collect(Collectors.joining());
        return new Ddl(ddl.id(), ddl.stage(), ddl.kind(), ddl.name(), ddl.table(), sql);
    }

    private static boolean wanted(Entry entry) {
        return entry.kind().equals("DATABASE PROPERTIES")
                || (entry.kind().equals("ACL") || entry.kind().equals("COMMENT"))
                        && entry.name().startsWith("DATABASE ");
    }

    private static String renamed(String sql, String database) {
        Matcher matcher = STATEMENT.matcher(sql);
        return matcher.matches() ? matcher.group(1) + Identifiers.quote(database) + matcher.group(2) : sql;
    }
}
